"""Pickling, saving, csv, json, loadtxt, relative files, buffers."""
import csv, io, json, multiprocessing, os, pickle, struct, sys, tempfile, hashlib, math, statistics, copy, collections, re
from pathlib import Path
import numpy as np

here = Path(__file__).parent
data = np.loadtxt(here / "data.csv", delimiter=",", skiprows=1)
print(data.shape, data.mean(axis=0))
np.save("out.npy", data); np.savez("out.npz", a=data, b=data[0]); np.savetxt("out.txt", data, fmt="%.3f")
with np.load("out.npz") as back:
    print(back["b"], np.load("out.npy").sum(), sorted(back.files))
with open("out.pkl", "wb") as f:
    pickle.dump({"w": data, "loss": data.mean(), "n": data.argmax()}, f)
with open("out.pkl", "rb") as f:
    got = pickle.load(f)
print(got["w"].sum(), got["loss"], type(got["loss"]), got["n"] + 1, (got["w"] @ got["w"].T).shape)


class Model:
    def __init__(self):
        self.w = data[:2] * 2


m = pickle.loads(pickle.dumps(Model())); print(m.w.mean(), (m.w ** 2).sum(), isinstance(m.w, np.ndarray))
print(json.dumps({"mean": data.mean(), "rows": data[:1].tolist(), "best": int(data.argmax()), "nested": [{"x": data[0, 0]}]}, indent=1))
try:
    json.dumps({"a": data})
except TypeError as e:
    print(e)
try:
    json.dumps(data.argmax())
except TypeError as e:
    print(e)


class Encoder(json.JSONEncoder):
    def default(self, o):
        if isinstance(o, np.integer):
            return int(o)
        if isinstance(o, np.ndarray):
            return o.tolist()
        return super().default(o)


print(json.dumps({"i": data.argmax(), "a": data[0]}, cls=Encoder))
w = csv.writer(sys.stdout); w.writerow(["a", data[0, 0], data.mean()]); w.writerows(data[:2])
print(struct.pack("d", data[0, 0]).hex(), hashlib.md5(data.tobytes()).hexdigest(), hashlib.sha1(data).hexdigest(), math.log(data[0, 0] + 1), math.fsum(data[0]), statistics.mean(data[0]))
c = copy.deepcopy({"a": data}); c["a"][0, 0] = 5; print(data[0, 0] == 5, copy.copy(data)[0], np.frombuffer(data.tobytes())[:2], bytes(data[0])[:3])
d = collections.Counter(data[:, 0].astype(int)); print(d.most_common(2), {k: v for k, v in enumerate(data[0])}, collections.defaultdict(list))
b = io.BytesIO(); np.save(b, data); b.seek(0); print(np.load(b).shape, np.fromstring("1 2", sep=" "), np.genfromtxt(io.StringIO("1,2\n3,4"), delimiter=",")[1], np.fromiter(range(3), int))
print(os.path.getsize("out.npy"), Path("out.txt").read_text().splitlines()[0], "{:.2f} {}".format(data[0, 0], data[0]), "%s|%5.2f" % (data[0], data[1, 1]))
data.tofile("raw.bin"); print(np.fromfile("raw.bin")[:2], memoryview(data[0].copy().data)[0] if False else "", np.asarray(data) is data, np.array(data) is data)
sys.stdout.write(str(data.shape) + "\n")
for f in ("out.npy", "out.npz", "out.txt", "out.pkl", "raw.bin"):
    print(f, hashlib.md5(Path(f).read_bytes()).hexdigest() if f != "out.npz" else "", end=" ")
    os.remove(f)

letters = np.arange(65, 73, dtype=np.uint8)
window = memoryview(bytearray(8))
window[:] = letters
print(bytes(window), b"".join([letters, letters[:2]]), b"xABC".replace(letters[:2], b"-"), re.findall(b"[B-D]", letters))
sender, receiver = multiprocessing.Pipe()
sender.send_bytes(letters)
print(receiver.recv_bytes())
sender.close(); receiver.close()
Path("bytes").write_bytes(np.arange(3.0))
print(np.fromfile("bytes"), bytes.join(b"-", [np.zeros(2, "u1"), b"a"]))
with tempfile.NamedTemporaryFile() as kept:
    kept.write(np.arange(2.0))
    kept.flush()
    print(np.fromfile(kept.name))
