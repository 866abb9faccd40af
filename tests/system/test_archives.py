"""Archives that other programs made, through the whole program: reader, parser, inventory, report."""
import base64
import gzip
import io
import json
import os
import random
import shutil
import subprocess
import tarfile
import time
import unittest
import zipfile

from harness import SOURCE, Case
from pki import run

AT = ("--no-system-trust",)
# The tools that compress, by how their files are called; lz4 has two formats.
PACKERS = {"gz": ("gzip", "-c"), "bz2": ("bzip2", "-c"), "xz": ("xz", "-c"), "zst": ("zstd", "-q", "-c"),
           "lzma": ("xz", "--format=lzma", "-c"), "lz4": ("lz4", "-q", "-c"), "legacy.lz4": ("lz4", "-q", "-l", "-c"),
           "Z": ("compress", "-f", "-c")}


def zip_of(*members, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def tar_of(*members, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


class Archives(Case):
    def setUp(self):
        super().setUp()
        self.one = self.pki.make("one.example.org")
        self.pem = self.one.pem.encode()
        p12 = self.folder / "x.p12"
        run("openssl", "pkcs12", "-export", "-in", self.one.pem_file, "-inkey", self.one.key_file,
            "-passout", "pass:secret", "-out", p12)
        self.p12 = p12.read_bytes()
        self.passwords = self.folder / "passwords"
        self.passwords.write_text("wrong\nsecret\n")

    def places(self, *args):
        """What was found, by place below the tree; and the problems as (reason, place, message)."""
        records = self.scan(*AT, *args, self.tree)
        base = "file://" + str(self.tree) + "/"
        for r in records:
            if r["type"] == "certificate":
                self.assertEqual(r["fingerprint"], self.one.fingerprint)
        return ({r["location"]["uri"].removeprefix(base): r["location"]["format"]
                 for r in records if r["type"] == "certificate"},
                [(r["reason"], r["location"]["uri"].removeprefix(base), r["message"])
                 for r in records if r["type"] == "problem"])

    def put(self, name, content):
        (self.tree / name).write_bytes(content)

    def test_kinds(self):
        noise = os.urandom(300000)
        members = (("etc/ssl/a.pem", self.pem), ("noise", noise), ("etc/x.p12", self.p12), ("last é.pem", self.pem))
        self.put("a.zip", zip_of(*members))
        self.put("s.jar", zip_of(*members, method=zipfile.ZIP_STORED))
        for mode, name in (("w", "a.tar"), ("w:gz", "a.tgz")):
            self.put(name, tar_of(*members, mode=mode))
        for name, tool in PACKERS.items():
            self.put("a.tar." + name, run(*tool, input=tar_of(*members)))
        root = self.folder / "root"
        for name, content in members:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        for kind in ("newc", "crc", "odc", "bin"):
            listed = b"\n".join(n.encode() for n, _ in members)
            self.put("a." + kind, run("cpio", "-o", "--quiet", "-H", kind, input=listed, cwd=root))
        found, problems = self.places("--password-file", self.passwords)
        self.assertEqual(problems, [])
        wanted = {}
        for archive in ("a.zip", "s.jar", "a.tar", "a.tgz", "a.newc", "a.crc", "a.odc", "a.bin",
                        *("a.tar." + name for name in PACKERS)):
            wanted[archive + "!/etc/ssl/a.pem"] = "pem"
            wanted[archive + "!/etc/x.p12"] = "pkcs12"
            wanted[archive + "!/last%20%C3%A9.pem"] = "pem"
        self.assertEqual(found, wanted)

    def test_programs_with_an_archive(self):
        """As Spring Boot and zipapp write them: a script, and a zip behind it."""
        script = b"#!/bin/sh\nexec java -jar \"$0\"\n"
        self.put("small", script + zip_of(("a.pem", self.pem)))
        self.put("app.jar", script * 400 + zip_of(("BOOT-INF/classes/a.pem", self.pem), ("noise", os.urandom(100000))))
        self.put("plain.sh", script * 4000)
        found = {(r["location"]["uri"].split("/tree/")[-1]) for r in self.scan("--no-system-trust", self.tree)
                 if r["type"] == "certificate"}
        self.assertEqual({u.rsplit("/", 1)[-1] for u in found}, {"a.pem"})
        self.assertEqual(len(found), 2)

    def test_packages(self):
        root = self.folder / "root"
        (root / "etc").mkdir(parents=True)
        (root / "etc" / "a.pem").write_bytes(self.pem)
        for method in ("xz", "gzip", "zstd"):
            control = root / "DEBIAN"
            control.mkdir(exist_ok=True)
            (control / "control").write_text("Package: a\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\n"
                                             "Description: a\n")
            run("dpkg-deb", "--root-owner-group", "-Z" + method, "-b", root, self.tree / (method + ".deb"))
        spec = self.folder / "a.spec"
        spec.write_text("Name: a\nVersion: 1\nRelease: 1\nSummary: a\nLicense: none\nBuildArch: noarch\n%description\na\n"
                        f"%install\nmkdir -p %{{buildroot}}/etc\ncp {self.one.pem_file} %{{buildroot}}/etc/a.pem\n"
                        "%files\n/etc/a.pem\n")
        for name, payload in (("a", "w3.zstdio"), ("b", "w6.lzdio")):
            run("rpmbuild", "-bb", "--quiet", "--define", f"_topdir {self.folder}/rpm", "--define", f"_rpmdir {self.tree}",
                "--define", f"_build_name_fmt {name}.rpm", "--define", f"_binary_payload {payload}", spec)
        found, problems = self.places()
        self.assertEqual(problems, [])
        self.assertEqual(found, {
            "gzip.deb!/data.tar.gz!/./etc/a.pem": "pem", "xz.deb!/data.tar.xz!/./etc/a.pem": "pem",
            "zstd.deb!/data.tar.zst!/./etc/a.pem": "pem", "a.rpm!/./etc/a.pem": "pem",
            "b.rpm!/./etc/a.pem": "pem"})

    def cpio(self, *members):
        root = self.folder / "cpio"
        shutil.rmtree(root, ignore_errors=True)
        for name, content in members:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        return run("cpio", "-o", "--quiet", "-H", "newc", input=b"\n".join(n.encode() for n, _ in members), cwd=root)

    def test_initrd(self):
        """As Debian and Ubuntu make them: microcode in front, uncompressed, then the rest; where they lie, and in an archive."""
        early = self.cpio(("kernel/x86/microcode/GenuineIntel.bin", os.urandom(5 << 20)))
        modules = self.cpio(("usr/lib/modules/x.ko", os.urandom(200000)), ("usr/lib/modules/signing.pem", self.pem))
        rest = self.cpio(("etc/ssl/a.pem", self.pem), ("bin/busybox", os.urandom(700000)), ("etc/x.p12", self.p12))
        wanted = {}
        for name, tool in PACKERS.items():
            image = early + bytes(-len(early) % 512) + modules + bytes(1024) + run(*tool, input=rest)
            self.put("initrd." + name, image)
            wanted |= {f"initrd.{name}!/usr/lib/modules/signing.pem": "pem", f"initrd.{name}!/etc/ssl/a.pem": "pem",
                       f"initrd.{name}!/etc/x.p12": "pkcs12"}
        self.put("boot.tgz", tar_of(("boot/initrd.img", image), mode="w:gz"))
        wanted |= {"boot.tgz!/boot/initrd.img!/" + place.partition("!/")[2]: kind for place, kind in wanted.items()}
        self.put("cut.img", image[:-300000])
        self.put("odd.img", early + bytes(512) + b"\x89LZO\0\r\n\x1a\n" + os.urandom(9000))
        found, problems = self.places("--password-file", self.passwords)
        cut = {place for place in found if place.startswith("cut.img")}
        self.assertLessEqual({"cut.img!/usr/lib/modules/signing.pem", "cut.img!/etc/ssl/a.pem"}, cut)
        self.assertEqual({place: kind for place, kind in found.items() if place not in cut}, wanted)
        self.assertEqual({p[:2] for p in problems}, {("malformed", "cut.img"), ("unsupported", "odd.img")})

    def test_compressed_files(self):
        wanted = {}
        for name, tool in PACKERS.items():
            self.put("backup.pem." + name, run(*tool, input=self.pem))
            self.put("store." + name, run(*tool, input=self.p12))
            self.put("twice." + name, run("gzip", "-c", input=run(*tool, input=self.pem)))
            wanted |= {"backup.pem." + name: "pem", "store." + name: "pkcs12", "twice." + name: "pem"}
        found, problems = self.places("--password-file", self.passwords)
        self.assertEqual(problems, [])
        self.assertEqual(found, wanted)

    def test_compressed_keystores(self):
        """Their first bytes are what libarchive takes for .lzma, where it is asked whether it is that."""
        stores = ("bks", "bks-v1")
        for store in stores:
            content = (SOURCE / "tests/fuzz/corpus/bks" / store).read_bytes()
            self.put(store, content)
            for name, tool in PACKERS.items():
                self.put(f"{store}.{name}", run(*tool, input=content))
        said = {store: {} for store in stores}
        for r in self.scan(*AT, self.tree):
            if r["type"] in ("certificate", "problem"):
                store, _, packer = r["location"]["uri"].rpartition("/")[2].partition(".")
                said[store].setdefault(packer, []).append((r["location"].get("format"), r.get("fingerprint"), r.get("reason")))
        for store in stores:
            self.assertIn("bks", {form for form, _, _ in said[store][""]})
            self.assertEqual(said[store], {packer: said[store][""] for packer in ("", *PACKERS)})

    def test_archives_in_archives(self):
        inner = zip_of(("x.p12", self.p12), ("META-INF/x.pem", self.pem))
        war = zip_of(("WEB-INF/lib/c.jar", inner))
        ear = zip_of(("b.war", war))
        self.put("a.ear", ear)
        self.put("deep.zip", zip_of(("a.ear", ear)))
        found, problems = self.places("--password-file", self.passwords)
        self.assertEqual(found, {"a.ear!/b.war!/WEB-INF/lib/c.jar!/x.p12": "pkcs12",
                                 "a.ear!/b.war!/WEB-INF/lib/c.jar!/META-INF/x.pem": "pem"})
        ((reason, place, message),) = problems
        self.assertEqual((reason, place), ("limit-reached", "deep.zip!/a.ear!/b.war!/WEB-INF/lib/c.jar"))
        self.assertIn("limits.archive_depth", message)

    def test_an_image(self):
        """As docker save and OCI layouts write it: layers as archives in an archive."""
        layer = tar_of(("etc/ssl/a.pem", self.pem))
        self.put("image.tar", tar_of(("manifest.json", b"[]"), ("abc/layer.tar", layer),
                                     ("blobs/sha256/0123", run("gzip", "-c", input=layer))))
        found, problems = self.places()
        self.assertEqual(problems, [])
        self.assertEqual(found, {"image.tar!/abc/layer.tar!/etc/ssl/a.pem": "pem",
                                 "image.tar!/blobs/sha256/0123!/etc/ssl/a.pem": "pem"})

    def test_signed_jar(self):
        signature = run("openssl", "cms", "-sign", "-binary", "-outform", "DER", "-signer", self.one.pem_file, "-inkey",
                        self.one.key_file, input=b"Signature-Version: 1.0\r\n\r\n")
        self.put("signed.jar", zip_of(("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\r\n\r\n"),
                                      ("META-INF/ONE.EC", signature), ("other/ONE.EC", signature)))
        found, problems = self.places()
        self.assertEqual(problems, [])
        self.assertEqual(found, {"signed.jar!/META-INF/ONE.EC": "jar-signature", "signed.jar!/other/ONE.EC": "pkcs7"})

    def test_signers(self):
        """With jarsigner's own archive, and what apksigner makes of a zip: schemes v1, v2 and v3."""
        shutil.copy(SOURCE / "tests/fuzz/corpus/archive/jarsigner", self.tree / "j.jar")
        self.put("a.apk", zip_of(("classes.dex", b"dex")))
        self.put("new.apk", zip_of(("classes.dex", b"dex")))
        store = self.folder / "x.p12"
        for name, schemes in (("a.apk", "true"), ("new.apk", "false")):
            run("apksigner", "sign", "--min-sdk-version", "24", "--v1-signing-enabled", schemes, "--v2-signing-enabled", "true",
                "--v3-signing-enabled", "true", "--v4-signing-enabled", "false", "--v1-signer-name", "ONE", "--ks", store,
                "--ks-type", "PKCS12", "--ks-pass", "pass:secret", self.tree / name)
        records = self.scan(*AT, self.tree)
        base = "file://" + str(self.tree) + "/"
        self.assertEqual(
            [(r["location"]["uri"].removeprefix(base), r["location"]["format"], r["subject"])
             for r in records if r["type"] == "certificate"],
            [("a.apk", "apk-signature", "CN=one.example.org"), ("a.apk!/META-INF/ONE.EC", "jar-signature", "CN=one.example.org"),
             ("j.jar!/META-INF/TWO.EC", "jar-signature", "CN=two.example.org"),
             ("new.apk", "apk-signature", "CN=one.example.org")])
        self.assertEqual([r for r in records if r["type"] == "problem"], [])

    def test_packed_apks(self):
        """An APK that was compressed as a whole says what it says by itself, in an archive too, and as deep as a .tar.gz."""
        apk = (SOURCE / "tests/fuzz/corpus/archive/apk-v1-v2-v3").read_bytes()
        self.put("x.apk", apk)
        packed = {"x.apk.gz": run("gzip", "-c", input=apk), "x.apk.xz": run("xz", "-c", input=apk),
                  "x.apk.bz2": run("bzip2", "-c", input=apk), "x.apk.zst": run("zstd", "-c", "-q", input=apk)}
        for name, content in packed.items():
            self.put(name, content)
        self.put("all.zip", zip_of(*packed.items()))
        self.put("all.tgz", tar_of(*packed.items(), mode="w:gz"))
        self.put("deep.zip", zip_of(("b.zip", zip_of(("x.apk.gz", packed["x.apk.gz"])))))
        self.put("deeper.zip", zip_of(("c.zip", zip_of(("b.zip", zip_of(("x.apk.gz", packed["x.apk.gz"])))))))
        records = self.scan(*AT, self.tree)
        base = "file://" + str(self.tree) + "/"
        found = {}
        for r in records:
            if r["type"] == "certificate":
                place, apk, member = r["location"]["uri"].removeprefix(base).rpartition("x.apk")
                ending, _, member = member.partition("!")
                found.setdefault(place + apk + ending, []).append((member, r["location"]["index"], r["location"]["format"], r["fingerprint"]))
        plain = found["x.apk"]
        self.assertEqual({f for _, _, f, _ in plain}, {"apk-signature", "jar-signature"})
        wanted = [place + name for name in packed for place in ("", "all.zip!/", "all.tgz!/")]
        self.assertEqual(found, {name: plain for name in ("x.apk", *wanted, "deep.zip!/b.zip!/x.apk.gz")})
        self.assertEqual([(r["reason"], r["location"]["uri"].removeprefix(base)) for r in records if r["type"] == "problem"],
                         [("limit-reached", "deeper.zip!/c.zip!/b.zip!/x.apk.gz")])

    def test_encrypted_members(self):
        (self.folder / "a.pem").write_bytes(self.pem)
        run("zip", "-q", "-P", "secret", self.tree / "locked.zip", "a.pem", cwd=self.folder)
        ((reason, place, message),) = self.places()[1]
        self.assertEqual((reason, place), ("needs-password", "locked.zip"))
        self.assertIn("1 of its members is encrypted, the first is a.pem", message)
        self.assertEqual(self.places("--password-file", self.passwords), ({"locked.zip!/a.pem": "pem"}, []))
        self.passwords.write_text("wrong\n")
        ((reason, place, _),) = self.places("--password-file", self.passwords)[1]
        self.assertEqual((reason, place), ("wrong-password", "locked.zip"))

    def test_what_is_no_file(self):
        """Links, devices and paths that lead out are text or nothing."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            for name, kind in (("link.pem", tarfile.SYMTYPE), ("hard.pem", tarfile.LNKTYPE), ("null", tarfile.CHRTYPE),
                               ("pipe", tarfile.FIFOTYPE), ("folder", tarfile.DIRTYPE)):
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, "/etc/passwd"
                archive.addfile(info)
            info = tarfile.TarInfo("../../etc/cron.d/a.pem")
            info.size = len(self.pem)
            archive.addfile(info, io.BytesIO(self.pem))
        self.put("odd.tar", out.getvalue())
        self.assertEqual(self.places(), ({"odd.tar!/../../etc/cron.d/a.pem": "pem"}, []))

    def test_damage(self):
        """What was found before it is kept."""
        whole = tar_of(("a.pem", self.pem), ("noise", os.urandom(200000)), ("b.pem", self.pem))
        self.put("cut.tar", whole[:100000])
        self.put("cut.tgz", run("gzip", "-c", input=whole)[:100000])
        for name, tool in PACKERS.items():
            if name != "gz":
                self.put("cut.tar." + name, run(*tool, input=whole)[:150000])
            # compress marks no end: what is cut off there looks whole.
            if name != "Z":
                self.put("cut.pem." + name, run(*tool, input=self.pem)[:-12])
        zipped = zip_of(("a.pem", self.pem), ("noise", os.urandom(200000)), ("b.pem", self.pem))
        self.put("cut.zip", zipped[:100000])
        at = zipped.rindex(b"PK\3\4")
        flipped = bytearray(zipped)
        flipped[at + 45:at + 60] = bytes(15)
        self.put("flipped.zip", bytes(flipped))
        found, problems = self.places()
        self.assertLessEqual({n + "!/a.pem" for n in ("cut.tar", "cut.tgz", "cut.zip", "flipped.zip")}, set(found))
        cut = {n + name for name in PACKERS for n in ("cut.tar.", "cut.pem.")} - {"cut.tar.gz", "cut.pem.Z"}
        self.assertEqual({(reason, place) for reason, place, _ in problems},
                         {("malformed", n) for n in cut | {"cut.tar", "cut.tgz", "cut.zip", "flipped.zip"}})
        (said,) = [m for _, place, m in problems if place == "flipped.zip"]
        self.assertIn("b.pem", said)

    def test_ceilings(self):
        layer = tar_of(("a.pem", self.pem), ("x", b"A" * 60000000), ("b.pem", self.pem))
        self.put("bomb.tgz", run("gzip", "-9", "-c", input=layer))
        # Many names for one content: nothing of it is large by itself.
        self.put("bomb.zip", zip_of(("a.pem", self.pem), *((f"{i}", b"A" * 60000) for i in range(900)), ("b.pem", self.pem)))
        self.put("many.tar", tar_of(("a.pem", self.pem), *((f"{i}", b"") for i in range(2000)), ("b.pem", self.pem)))
        self.put("large.zip", zip_of(("big.pem", b"# x\n" * 20000 + self.pem), ("a.pem", self.pem),
                                     ("big.p12", self.p12 + bytes(70000))))
        config = self.folder / "leafwatch.yml"
        config.write_text("limits: {archive_members: 1000, member_size: 64KiB}\n")
        found, problems = self.places("--config", config)
        self.assertEqual(set(found), {"bomb.tgz!/a.pem", "bomb.zip!/a.pem", "many.tar!/a.pem", "large.zip!/a.pem",
                                      "large.zip!/big.pem"})
        said = {place: (reason, message) for reason, place, message in problems}
        self.assertIn("limits.archive_ratio", said["bomb.tgz"][1])
        self.assertIn("limits.archive_ratio", said["bomb.zip"][1])
        self.assertIn("after 1000 members", said["many.tar"][1])
        self.assertEqual(said["large.zip!/big.p12"][0], "too-large")
        config.write_text("limits: {archive_size: 1MiB}\n")
        said = {place: message for _, place, message in self.places("--config", config)[1]}
        self.assertIn("limits.archive_size", said["bomb.tgz"])
        config.write_text("limits: {archive_depth: 0}\n")
        found, problems = self.places("--config", config)
        self.assertEqual((found, {r for r, _, _ in problems}), ({}, {"limit-reached"}))

    def test_large(self):
        """What is larger than the parser's memory is read where it lies; without certificates it is silent."""
        noise = random.Random(1).randbytes(1 << 20)
        with open(self.tree / "large.tar", "wb") as out:
            info = tarfile.TarInfo("zeros")
            info.size = 200 << 20
            out.write(info.tobuf())
            out.seek(info.size, io.SEEK_CUR)
            out.write(tar_of(("last.pem", self.pem)))
        with zipfile.ZipFile(self.tree / "large.zip", "w") as out:
            for i in range(100):
                out.writestr(str(i), noise)
            out.writestr("last.pem", self.pem)
        log = b"".join(b"2026-01-01T00:00:%02d GET /%x\n" % (i % 60, i * 2654435761) for i in range(20000)) * 14
        for name, content in (("with", log + self.pem + log), ("without", log + log)):
            packed = run("gzip", "-1", "-c", input=content)
            self.put(name + ".log.gz", packed)
            self.put(name + ".tgz", run("gzip", "-1", "-c", input=tar_of(("binary", noise), ("log", content))))
        found, problems = self.places()
        self.assertEqual(problems, [])
        self.assertEqual(set(found), {"large.tar!/last.pem", "large.zip!/last.pem", "with.log.gz", "with.tgz!/log"})

    def slow(self):
        """A backup, of which looking at all takes seconds: a certificate, 75 MB of text, the certificate again."""
        text = base64.b64encode(random.Random(1).randbytes(3 << 20))
        count = 18
        first, info = tarfile.TarInfo("first.pem"), tarfile.TarInfo("text")
        first.size, info.size = len(self.pem), len(text) * count
        head = first.tobuf() + self.pem + bytes(-first.size % 512) + info.tobuf()
        # gzip's members one after another are one content (RFC 1952 2.2).
        packed = gzip.compress(text, 1)
        with open(self.tree / "slow.tgz", "wb") as out:
            out.write(gzip.compress(head))
            for _ in range(count):
                out.write(packed)
            out.write(gzip.compress(bytes(-info.size % 512) + tar_of(("last.pem", self.pem))))

    def test_time(self):
        """What takes too long is left, and said to be: the rest of the scan does not wait, and what was found until then
        is told. The next pass does not look again, before the limit is another."""
        self.put("a.pem", self.pem)
        self.slow()
        run("openssl", "pkcs12", "-export", "-in", self.one.pem_file, "-inkey", self.one.key_file, "-passout", "pass:other",
            "-macalg", "SHA512", "-iter", "600000", "-out", self.tree / "slow.p12")
        passwords = self.folder / "many"
        passwords.write_text("".join(f"wrong {i}\n" for i in range(3)) + "other\n")
        config = self.folder / "leafwatch.yml"
        config.write_text("log_level: ${LEVEL:-warn}\nlimits: {file_time: 300ms}\n")
        state = ("--config", config, "--password-file", passwords, "--state", self.folder / "state")
        time.sleep(2.1)                         # what has just changed would be read again
        found, problems = self.places(*state)
        self.assertEqual(set(found), {"a.pem", "slow.tgz!/first.pem"})
        self.assertEqual(sorted((reason, place) for reason, place, _ in problems),
                         [("limit-reached", "slow.p12"), ("limit-reached", "slow.tgz")])
        for _, _, message in problems:
            self.assertIn("limits.file_time", message)
        again = self.leafwatch("scan", *AT, *state, self.tree, env={"LEVEL": "debug"})
        self.assertIn(b"sandbox of the reader", again.stderr)
        self.assertNotIn(b"sandbox of the parser", again.stderr)
        config.write_text("limits: {file_time: 5m}\n")
        found, problems = self.places(*state)
        self.assertEqual(problems, [])
        self.assertEqual(set(found), {"a.pem", "slow.p12", "slow.tgz!/first.pem", "slow.tgz!/last.pem"})
        # What lies behind is not gone because there is no time for it any more.
        config.write_text("limits: {file_time: 300ms}\n")
        os.utime(self.tree / "slow.tgz")
        found, problems = self.places(*state)
        self.assertLessEqual({"slow.tgz!/first.pem", "slow.tgz!/last.pem"}, set(found))
        self.assertIn(("limit-reached", "slow.tgz"), {(reason, place) for reason, place, _ in problems})

    def test_keys_of_jobs(self):
        for name in ("off", "on"):
            (self.tree / name).mkdir()
        self.put("off/a.zip", zip_of(("a.pem", self.pem)))
        self.put("on/a.zip", zip_of(("a.pem", self.pem)))
        self.put("on/large.zip", zip_of(("a.pem", self.pem), ("x", os.urandom(9000))))
        agent = self.agent("trust: {system: no}\n"
                           "exporters: {prometheus: [{listen: [\"127.0.0.1:PORT\"]}]}\n"
                           "scanners:\n"
                           "  files:\n"
                           f"    - {{name: off, paths: [{self.tree}/off], archives: no}}\n"
                           f"    - {{name: on, paths: [{self.tree}/on], max_archive_size: 8KiB}}\n")
        self.ready(agent)
        listed = [json.loads(line) for line in self.leafwatch("list", "-o", "jsonl", "--state", self.folder / "state").stdout.splitlines()]
        self.assertEqual([(r["location"]["uri"].removeprefix(f"file://{self.tree}/"), r.get("reason")) for r in listed
                          if r["type"] in ("certificate", "problem")],
                         [("on/a.zip!/a.pem", None), ("on/large.zip", "too-large")])

    def test_unchanged(self):
        """Members stay known while their archive does not change, and go with it."""
        self.put("a.zip", zip_of(("a.pem", self.pem)))
        state = ("--state", self.folder / "state")
        os.utime(self.tree / "a.zip", (1000000000, 1000000000))
        for _ in range(2):
            self.assertEqual(self.places(*state), ({"a.zip!/a.pem": "pem"}, []))
        (self.tree / "a.zip").unlink()
        self.assertEqual(self.places(*state), ({}, []))


if __name__ == "__main__":
    unittest.main()
