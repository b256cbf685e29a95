# Installs the system $name on the disks of this machine, as its first process. How it ended is said on the
# console; the machine is always switched off.
set -euo pipefail
here=/golden
release=$(ls /lib/modules)

finish() {
	local status=$?
	sync
	if [ "$status" = 0 ]; then
		echo 'golden: the installation is complete'
	else
		echo "golden: the installation failed with status $status"
	fi
	sleep 1
	busybox poweroff -f
}
trap finish EXIT

# A test takes a machine that says nothing for long for a dead one.
while sleep 15; do echo 'golden: at work'; done &

say() { echo "golden: $(cut -d' ' -f1 /proc/uptime) s: $*"; }

for part in disks system facts boot proxmox; do . "$here/common/$part.sh"; done

# What a reader of the manifest would not expect of such a system, in sentences.
peculiar=()

start_udev
. "$here/installs/$name.sh"

say 'laying out the disks'
lay_out
say 'copying the system'
copy_system
say 'writing its settings'
mount_inside
common_settings
settings
say 'making the initrds'
make_initrds
say 'installing the boot loader'
boot_loader
say 'reading facts'
report_facts
say 'letting go'
leave
