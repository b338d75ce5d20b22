"""What a run costs: its step kinds recorded once, priced under hardware profiles, added up."""
