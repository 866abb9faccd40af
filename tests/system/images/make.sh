#!/bin/sh
# How the archives beside this were made, as root on Debian 12: sh make.sh FOLDER (needs docker.io, containerd, podman, buildah,
# skopeo, openssl). Digests and ids differ each time: test_images.py names those of the archives that are kept.
set -eux
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/context" "$1/x"
cd "$1"
pack="tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=2026-01-01 -czf"
openssl req -x509 -newkey rsa:2048 -nodes -keyout x/key.pem -out context/a.pem -days 30 -subj /CN=a.example.org

# containers/storage.
for driver in overlay vfs; do
	printf 'FROM scratch\nCOPY a.pem /etc/ssl/a.pem\n' >context/Dockerfile
	buildah --root "$PWD/storage" --runroot "$PWD/run" --storage-driver $driver bud --layers -t web:1.0 context
done
$pack "$here/storage.tar.gz" -C storage --exclude='*/work' --exclude='*/merged' --exclude='*.lock' --exclude='*.tar-split.gz' \
	overlay overlay-images overlay-layers overlay-containers vfs vfs-images vfs-layers vfs-containers

# docker: two images, one on top of the other, and a container.
export DOCKER_HOST="unix://$PWD/docker.sock"
dockerd --data-root "$PWD/docker" --exec-root "$PWD/exec" -p "$PWD/pid" -H "$DOCKER_HOST" --iptables=false --bridge=none &
sleep 20
docker build -t web:1.0 context
printf 'FROM web:1.0\nCOPY a.pem /etc/ssl/b.pem\n' >context/Dockerfile
docker build -t registry.example.org:5000/shop/api:2.1 context
docker create --name shop web:1.0 /x
docker save -o saved.tar web:1.0 registry.example.org:5000/shop/api:2.1
gzip -9 -c saved.tar >"$here/saved.tar.gz"
skopeo copy docker-archive:saved.tar:web:1.0 oci-archive:layout.tar:web:1.0
gzip -9 -c layout.tar >"$here/layout.tar.gz"

# containerd: the same images, and a snapshot of a container's own.
socket=exec/containerd/containerd.sock
ctr -a $socket image import layout.tar
ctr -a $socket image import saved.tar
# Without the host that an image with a short name is taken to come from.
for long in $(ctr -a $socket image ls -q | grep /library/web:1.0); do
	ctr -a $socket image tag "$long" images.test/group/web:1.0
	ctr -a $socket image rm "$long"
done
ctr -a $socket snapshot prepare web-1 "$(ctr -a $socket snapshot ls | awk '$2 ~ /^sha256/ { print $1 }')"
store=docker/containerd/daemon
mkdir -p $store/io.containerd.snapshotter.v1.overlayfs/snapshots/3/fs/etc
cp context/a.pem $store/io.containerd.snapshotter.v1.overlayfs/snapshots/3/fs/etc/own.pem
kill "$(cat pid)"
sleep 5
$pack "$here/containerd.tar.gz" -C $store --exclude='*/work' io.containerd.content.v1.content/blobs io.containerd.metadata.v1.bolt \
	io.containerd.snapshotter.v1.overlayfs
$pack "$here/docker.tar.gz" -C docker --exclude='*/work' --exclude='tar-split.json.gz' image/overlay2/layerdb \
	image/overlay2/imagedb image/overlay2/repositories.json overlay2
