# Like lvm-ext4-bios, on an NVMe drive and booted by UEFI; pmxcfs died with a change in its WAL.
. "$here/installs/lvm-ext4-bios.sh"

settings() {
	lvm_settings ext4 'errors=remount-ro'
	leave_change_in_wal /target/var/lib/pve-cluster/config.db
}
