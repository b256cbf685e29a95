# Disks, partitions and volumes, in the layout of Proxmox's installer.

# With udev the tools find everything by the names that an installed system has too.
start_udev() {
	mount -t tmpfs -o mode=755 tmpfs /run
	mount -t tmpfs -o mode=1777 tmpfs /tmp
	mkdir -p /run/lock /run/udev
	if [ -d /sys/firmware/efi/efivars ]; then
		modprobe -q efivarfs || true
		mount -t efivarfs efivarfs /sys/firmware/efi/efivars
	fi
	/lib/systemd/systemd-udevd --daemon
	udevadm trigger --action=add --type=subsystems
	udevadm trigger --action=add --type=devices
	udevadm settle
	disks=()
	local disk
	for disk in /dev/disk/by-path/*; do
		case "$(readlink -f "$disk")" in
		/dev/sd[a-z] | /dev/nvme[0-9]n[0-9]) disks+=("$(readlink -f "$disk")") ;;
		esac
	done
	# A controller can have two names by path.
	mapfile -t disks < <(printf '%s\n' "${disks[@]}" | awk '!seen[$0]++')
	say "disks: ${disks[*]}"
}

part() { # DISK NUMBER
	case "$1" in
	*[0-9]) echo "$1p$2" ;;
	*) echo "$1$2" ;;
	esac
}

# BIOS boot partition, ESP, and the rest with this type.
partition() { # DISK TYPE
	sgdisk --clear --set-alignment=1 --new=1:34:2047 --typecode=1:EF02 --new=2:2048:+512M --typecode=2:EF00 \
		--new=3:0:0 --typecode=3:"$2" "$1" >/dev/null
	udevadm settle
}

make_esp() { # DISK
	mkfs.vfat -F 32 "$(part "$1" 2)" >/dev/null
}

# Volume group pve with swap, root, and a thin pool with the disk of a guest.
make_volume_group() { # PARTITION
	pvcreate --yes -ff "$1"
	vgcreate pve "$1"
	lvcreate --yes --wipesignatures y --size 256M --name swap pve
	lvcreate --yes --wipesignatures y --size 2200M --name root pve
	lvcreate --yes --size 256M --name data pve
	lvconvert --yes --type thin-pool --poolmetadatasize 8M pve/data
	lvcreate --yes --virtualsize 1G --thin --name vm-100-disk-0 pve/data
	mkswap /dev/pve/swap >/dev/null
}

uuid() { blkid -s UUID -o value "$1"; }
