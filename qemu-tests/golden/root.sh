# Finishes a Debian root right after its packages: sh root.sh FOLDER
set -eu
if [ -e "$1/usr/share/initramfs-tools/hooks/zfs" ]; then
	# ZFS's modules come ready, as with Proxmox's kernels, so that no compiler is carried around.
	mkdir -p "$1/tmp/zfs-modules/DEBIAN"
	printf 'Package: zfs-modules-ready\nVersion: 1\nArchitecture: all\nProvides: zfs-modules\nMaintainer: Nobody <nobody@example.com>\nDescription: stands for modules that are there already\n' >"$1/tmp/zfs-modules/DEBIAN/control"
	chroot "$1" dpkg-deb --build /tmp/zfs-modules /tmp/zfs-modules.deb >&2
	chroot "$1" dpkg --install /tmp/zfs-modules.deb >&2
	# A compiler that something else only suggests must go too.
	chroot "$1" apt-get purge --yes --quiet --autoremove -o APT::AutoRemove::SuggestsImportant=false zfs-dkms dkms >&2
	rm -r "$1/tmp/zfs-modules" "$1/tmp/zfs-modules.deb"
fi
echo 'root:preflight' | chroot "$1" chpasswd
rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/apt/sources.list.d/* "$1"/var/lib/systemd/random-seed
rm -f "$1"/etc/resolv.conf "$1"/etc/machine-id
touch "$1"/etc/machine-id
# Nobody waits for a lease or a clock on these machines.
ln -sf /dev/null "$1"/etc/systemd/system/apt-daily.timer
ln -sf /dev/null "$1"/etc/systemd/system/apt-daily-upgrade.timer
