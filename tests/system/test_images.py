"""Images as docker, containerd, podman, buildah and skopeo keep them on disk: each certificate is told with the image
and the layer that it lies in. The stores are real ones (images/make.sh)."""
import gzip
import io
import lzma
import shutil
import tarfile
import unittest
import zipfile

from harness import SOURCE, Case

IMAGES = SOURCE / "tests" / "system" / "images"
API = "image: registry.example.org:5000/shop/api:2.1 layer: "


class Images(Case):
    def unpack(self, name, *below):
        folder = self.tree.joinpath(*below)
        with tarfile.open(IMAGES / (name + ".tar.gz")) as archive:
            archive.extractall(folder)
        return folder

    def aliases(self, *args, source=None):
        """By place; and that nothing is a problem."""
        records = self.scan("--no-system-trust", *args, source or self.tree)
        self.assertEqual([r for r in records if r["type"] == "problem"], [])
        base = f"file://{self.tree}/"
        return {r["location"]["uri"].removeprefix(base): r["location"].get("alias")
                for r in records if r["type"] == "certificate"}

    def test_docker(self):
        self.unpack("docker", "docker")
        container = "66a9d871e6299c7e3e43c383e8da1c91a9602fc0254ca11f3201f80a185f8e41"
        own = self.tree / "docker" / "overlay2" / container / "diff" / "own.pem"
        own.parent.mkdir(exist_ok=True)
        own.write_text(self.pki.make("own.example.org").pem)
        web = "4b31bf92bbe081dd02deb6d07ae8d96ad79f8a4b8740c2b25bbb38757e7eafad"
        wanted = {
            f"docker/overlay2/{web}/diff/etc/ssl/a.pem": "image: web:1.0 (and 1 more) layer: sha256:72d090c02c97",
            "docker/overlay2/af67be9de897f02bffbd367b50b99ec09bba38e9d98b13a44f882d257d334b70/diff/etc/ssl/b.pem":
                API + "sha256:64314fdb1548",
            f"docker/overlay2/{container}/diff/own.pem": "container: 2b87ccb73fe6"}
        self.assertEqual(self.aliases(), wanted)
        # A root in a layer, and one whose lists are gone.
        below = self.tree / "docker" / "overlay2" / web / "diff" / "etc"
        self.assertEqual(set(self.aliases(source=below).values()), {"image: web:1.0 (and 1 more) layer: sha256:72d090c02c97"})
        shutil.rmtree(self.tree / "docker" / "image")
        self.assertEqual(set(self.aliases().values()), {None})

    def test_containers_storage(self):
        self.unpack("storage", "containers", "storage")
        layer = "overlay/f8578c48f641910a56dbf719371148cf831200e11bd23f8879fe0badd21ea2dd/diff"
        self.assertEqual(self.aliases(), {
            f"containers/storage/{layer}/etc/ssl/a.pem": "image: localhost/web:1.0 layer: sha256:f8578c48f641",
            "containers/storage/vfs/dir/5697d88777abe07fdf7bcc888af9705388394e72b21507e78c198ac0184ffd56/etc/ssl/a.pem":
                "image: localhost/web:1.0 layer: sha256:5697d88777ab"})
        # What has a name in its keystore keeps it, and archives in layers are parts of them.
        own = self.pki.make("own.example.org")
        with tarfile.open(self.tree / "containers" / "storage" / layer / "x.tar", "w") as archive:
            archive.add(own.pem_file, "own.pem")
        found = self.aliases()
        self.assertEqual(found[f"containers/storage/{layer}/x.tar!/own.pem"],
                         "image: localhost/web:1.0 layer: sha256:f8578c48f641")

    def test_containerd(self):
        self.unpack("containerd")
        web = "image: images.test/group/web:1.0 (and 2 more) layer: "
        snapshots = "io.containerd.snapshotter.v1.overlayfs/snapshots"
        blobs = "io.containerd.content.v1.content/blobs/sha256"
        self.assertEqual(self.aliases(), {
            f"{snapshots}/1/fs/etc/ssl/a.pem": web + "sha256:72d090c02c97",
            f"{snapshots}/2/fs/etc/ssl/b.pem": API + "sha256:64314fdb1548",
            f"{snapshots}/3/fs/etc/own.pem": "container: web-1",
            f"{blobs}/be8855750b2ed005f4cd945ceaf1f34b860203cc4bc556422c4b0cd622d5dcdf!/etc/ssl/a.pem":
                web + "sha256:be8855750b2e",
            f"{blobs}/64314fdb15482efb2cf6b8ff564a7002a5b0d38db859a3cb670adc530484e3b9!/etc/ssl/b.pem":
                API + "sha256:64314fdb1548"})
        # Damaged databases name nothing, and are no problem: what they would have named is found.
        for database in self.tree.rglob("*.db"):
            content = bytearray(database.read_bytes())
            for at in range(0, len(content), 97):
                content[at] ^= 0x55
            database.write_bytes(content)
        self.assertEqual(set(self.aliases().values()), {None})

    def test_archives(self):
        layer = "blobs/sha256/be8855750b2ed005f4cd945ceaf1f34b860203cc4bc556422c4b0cd622d5dcdf!/etc/ssl/a.pem"
        for name in ("saved", "layout"):
            packed = (IMAGES / (name + ".tar.gz")).read_bytes()
            (self.tree / (name + ".tar")).write_bytes(gzip.decompress(packed))
            (self.tree / (name + ".tar.gz")).write_bytes(packed)
            (self.tree / (name + ".tar.xz")).write_bytes(lzma.compress(gzip.decompress(packed)))
        with tarfile.open(self.tree / "layout.tar") as archive:
            archive.extractall(self.tree / "folder")
        base = "saved.tar!/4d0c4b82a924400be27b77e638b66ebc7a6c332eb03abe3ead9bfb5c0be60eba/layer.tar!/etc/ssl/a.pem"
        top = "saved.tar!/0ee1dda16a4def84aecddad6bce8b43faba5d250e36d417c8a19a283730dff83/layer.tar!/etc/ssl/b.pem"
        wanted = {"folder/" + layer: "image: web:1.0 layer: sha256:be8855750b2e"}
        # `docker save | gzip`: whose a layer is stands behind it, so such a stream is read twice.
        for ending in ("", ".gz", ".xz"):
            wanted |= {base.replace(".tar!", f".tar{ending}!", 1): "image: web:1.0 layer: 4d0c4b82a924",
                       top.replace(".tar!", f".tar{ending}!", 1): API + "0ee1dda16a4d",
                       f"layout.tar{ending}!/" + layer: "image: web:1.0 layer: sha256:be8855750b2e"}
        self.assertEqual(self.aliases(), wanted)

    def test_archives_in_archives(self):
        """An archive of images in another, packed or not: each layer is one archive deeper, and has its label there too."""
        layer = "blobs/sha256/be8855750b2ed005f4cd945ceaf1f34b860203cc4bc556422c4b0cd622d5dcdf!/etc/ssl/a.pem"
        base = "4d0c4b82a924400be27b77e638b66ebc7a6c332eb03abe3ead9bfb5c0be60eba/layer.tar!/etc/ssl/a.pem"
        top = "0ee1dda16a4def84aecddad6bce8b43faba5d250e36d417c8a19a283730dff83/layer.tar!/etc/ssl/b.pem"
        own = self.pki.make("own.example.org")
        members = {"first.pem": own.pem_file.read_bytes(), "last.pem": own.pem_file.read_bytes()}
        wanted = {}
        for name in ("saved", "layout"):
            packed = (IMAGES / (name + ".tar.gz")).read_bytes()
            members |= {name + ".tar": gzip.decompress(packed), name + ".tar.gz": packed,
                        name + ".tar.xz": lzma.compress(gzip.decompress(packed))}
        members["last.pem"] = members.pop("last.pem")
        for outer in ("all.zip", "all.tar", "all.tar.gz"):
            if outer.endswith("zip"):
                with zipfile.ZipFile(self.tree / outer, "w", zipfile.ZIP_DEFLATED) as archive:
                    for name, content in members.items():
                        archive.writestr(name, content)
            else:
                with tarfile.open(self.tree / outer, "w:gz" if outer.endswith("gz") else "w") as archive:
                    for name, content in members.items():
                        entry = tarfile.TarInfo(name)
                        entry.size = len(content)
                        archive.addfile(entry, io.BytesIO(content))
            wanted |= {f"{outer}!/first.pem": None, f"{outer}!/last.pem": None}
            for ending in ("", ".gz", ".xz"):
                wanted |= {f"{outer}!/saved.tar{ending}!/{base}": "image: web:1.0 layer: 4d0c4b82a924",
                           f"{outer}!/saved.tar{ending}!/{top}": API + "0ee1dda16a4d",
                           f"{outer}!/layout.tar{ending}!/{layer}": "image: web:1.0 layer: sha256:be8855750b2e"}
        self.assertEqual(self.aliases(), wanted)

    def test_limits(self):
        """Where not all lists are read the certificates are found, and what is not known of them is said."""
        self.unpack("docker", "docker")
        self.unpack("storage", "containers", "storage")
        self.unpack("containerd")
        self.unpack("layout", "layout")
        for name in ("saved", "layout"):
            (self.tree / (name + ".tar.gz")).write_bytes((IMAGES / (name + ".tar.gz")).read_bytes())
        config = self.folder / "leafwatch.yml"
        base = f"file://{self.tree}/"
        everything = set(self.aliases())
        content = "io.containerd.content.v1.content"
        for key, value, told in (("image_layers", "1", {"", "docker", content, "saved.tar.gz"}),
                                 ("image_lists", "4KiB", {"", "docker", content}), ("image_stores", "0", None),
                                 ("layers_per_image", "1", {"", "docker", content, "saved.tar.gz"})):
            config.write_text(f"limits: {{{key}: {value}}}\n")
            records = self.scan("--no-system-trust", "--config", config, self.tree)
            self.assertEqual({r["location"]["uri"].removeprefix(base) for r in records if r["type"] == "certificate"},
                             everything)
            problems = [r for r in records if r["type"] == "problem"]
            for r in problems:
                self.assertEqual((r["reason"], r["message"].rpartition(" ")[2]), ("limit-reached", f"(limits.{key})"))
            places = [(r["location"]["uri"] + "/").removeprefix(base).rstrip("/") for r in problems]
            if told is None:
                # The first that is met stands for all.
                self.assertEqual(len(places), 1)
            else:
                self.assertEqual(sorted(places), sorted(told))

    def test_renamed(self):
        """An image that is called something else is told so, though its layers have not changed."""
        folder = self.unpack("docker", "docker")
        state = ("--state", self.folder / "state")
        self.assertIn("image: web:1.0 (and 1 more) layer: sha256:72d090c02c97", self.aliases(*state).values())
        names = folder / "image" / "overlay2" / "repositories.json"
        names.write_text(names.read_text().replace("web:1.0", "web:9.9"))
        self.assertIn("image: web:9.9 (and 1 more) layer: sha256:72d090c02c97", self.aliases(*state).values())


if __name__ == "__main__":
    unittest.main()
