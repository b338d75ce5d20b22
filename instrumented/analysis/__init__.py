"""What follows from a recorded trace: reuse, memory levels, fused reading, live memory."""
