# Leaves ZFS's modules, as DKMS built them for the one kernel whose headers are there, in FOLDER/built.
set -eu
release=$(basename "$(ls -d "$1"/usr/src/linux-headers-*-amd64)")
release=${release#linux-headers-}
version=$(basename "$(ls -d "$1"/usr/src/zfs-*)")
version=${version#zfs-}
modules=$1/lib/modules/$release/updates/dkms
if [ ! -e "$modules/zfs.ko" ]; then chroot "$1" dkms install "zfs/$version" -k "$release" >&2; fi
mkdir "$1/built"
cp "$modules"/*.ko "$1/built/"
