#!/bin/busybox sh
# First process of the guest that lays out disks: makes a writable Debian over the read-only base disk and
# hands over to the installation inside it. As the real root, since the kernel loads modules from there.
set -eu
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
ln -s /proc/self/fd /dev/fd

for module in virtio_pci virtio_blk crc32c_generic ext4 overlay; do modprobe "$module"; done

word() { tr ' ' '\n' </proc/cmdline | sed -n "s/^golden\.$1=//p"; }

# The virtio disk with this serial number.
disk() {
	for block in /sys/block/vd*; do
		if [ "$(cat "$block/serial" 2>/dev/null)" = "$1" ]; then
			echo "/dev/${block##*/}"
			return
		fi
	done
	echo "golden: there is no virtio disk $1" >&2
	return 1
}

mkdir -p /lower /upper /root
mount -t ext4 -o ro "$(disk "$(word base)")" /lower
mount -t tmpfs -o size=60% tmpfs /upper
mkdir /upper/files /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /root
mkdir /root/base /root/target
cp -r /golden /root/golden
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C FACTS_DISK name
FACTS_DISK=$(disk "$(word facts)")
name=$(word install)
for folder in proc sys dev; do mount -o move "/$folder" "/root/$folder"; done
mount -o move /lower /root/base
exec switch_root /root /bin/bash /golden/common/install.sh
