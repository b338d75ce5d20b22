"""An error that nobody catches ends a thread; the script goes on, and leaves a pool open."""
import threading
from concurrent.futures import ThreadPoolExecutor
import numpy as np
t = threading.Thread(target=lambda: np.zeros(2) + np.zeros(3)); t.start(); t.join()
pool = ThreadPoolExecutor(2)
print(pool.submit(np.sum, np.arange(4)).result())
