"""Images made from a seed, as OCI layouts: the same bytes on every machine."""
import gzip
import hashlib
import io
import json
import pathlib
import random
import shutil
import tarfile

MB = 1_000_000
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
PLAIN = "application/vnd.oci.image.layer.v1.tar"
WORDS = [b"function", b"message", b"schema", b"topic", b"tenant", b"namespace", b"cursor", b"ledger", b"bookie", b"broker"]

# pack rebases nothing without it.
STACK = {"io.buildpacks.stack.id": "bench.stack"}


class Layout:
    """An OCI layout with one image, tagged `latest`."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.blobs = self.folder / "blobs/sha256"
        self.blobs.mkdir(parents=True)
        self.layers, self.diff_ids = [], []

    def add_blob(self, content, media_type):
        digest = hashlib.sha256(content).hexdigest()
        (self.blobs / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    def add_layer(self, tar):
        self.diff_ids.append("sha256:" + hashlib.sha256(tar).hexdigest())
        self.layers.append(self.add_blob(gzip.compress(tar, compresslevel=1, mtime=0), GZIP))

    def add_sparse_layer(self, number, size):
        """A layer that takes no disk: a tar of one file of zeros, told apart by its name."""
        header = tarfile.TarInfo(f"data/{number}")
        header.size = size
        start, path = header.tobuf(), self.blobs / "new"
        with open(path, "wb") as file:
            file.write(start)
            file.truncate(len(start) + size + 1024)
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self.diff_ids.append(f"sha256:{digest}")
        self.layers.append({"mediaType": PLAIN, "digest": f"sha256:{digest}", "size": path.stat().st_size})
        path.rename(self.blobs / digest)

    def finish(self, labels=None):
        config = {"architecture": "amd64", "os": "linux", "config": {"Labels": labels or {}, "User": "10000"}, "created": "2026-01-01T00:00:00Z",
                  "rootfs": {"type": "layers", "diff_ids": self.diff_ids}, "history": [{"created_by": "seed"} for _ in self.diff_ids]}
        config = self.add_blob(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json")
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": self.layers}
        entry = self.add_blob(json.dumps(manifest).encode(), manifest["mediaType"])
        entry["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
        (self.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        (self.folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        return self

    def compressed(self):
        return sum(layer["size"] for layer in self.layers)


def content(source, size, noise):
    """Bytes of which the part `noise` is random and the rest text that compresses well."""
    random_bytes = source.randbytes(int(size * noise))
    words = b" ".join(source.choice(WORDS) for _ in range(2000))
    text = size - len(random_bytes)
    return random_bytes + (words * (text // len(words) + 1))[:text]


def tar_of(files):
    """A tar of files by name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def runner(folder, seed=1, scale=1.0):
    """As large as a published runner: 334 MB in six layers, 117 MB compressed."""
    source, layout = random.Random(seed), Layout(folder)
    for number, size in enumerate([140, 90, 60, 30, 10, 4]):
        half = int(size * scale * MB / 2)
        files = [(f"layer{number}/{part}", content(source, half, noise)) for part, noise in (("programs", 0.36), ("texts", 0.116))]
        layout.add_layer(tar_of(files))
    return layout.finish(STACK)


def function(folder, runner, run_image):
    """A function image as an exporter of buildpacks writes it: a runner's layers and 1 MB of its own above them."""
    layout = Layout(folder)
    shutil.copytree(runner.blobs, layout.blobs, dirs_exist_ok=True)
    layout.layers, layout.diff_ids = list(runner.layers), list(runner.diff_ids)
    layout.add_layer(tar_of([("pulsar/function/function", content(random.Random(3), MB, 1.0))]))
    base = {"topLayer": runner.diff_ids[-1], "reference": run_image, "image": run_image}
    metadata = {"app": [{"sha": layout.diff_ids[-1]}], "config": {}, "launcher": {}, "buildpacks": [], "runImage": base,
                "stack": {"runImage": {"image": run_image}}}
    return layout.finish({**STACK, "io.buildpacks.lifecycle.metadata": json.dumps(metadata), "io.buildpacks.rebasable": "true"})


def many_layers(folder, count=60, size=50_000, seed=2):
    """Small layers, as many as an image of many packages has."""
    source, layout = random.Random(seed), Layout(folder)
    for number in range(count):
        layout.add_layer(tar_of([(f"packages/{number}", content(source, size, 0.95))]))
    return layout.finish()


def large_layers(folder, count=8, size=512 * 1024 * 1024):
    """Layers that no memory should hold."""
    layout = Layout(folder)
    for number in range(count):
        layout.add_sparse_layer(number, size)
    return layout.finish()
