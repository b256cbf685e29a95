# Finishes a Debian root right after its packages: sh root.sh FOLDER
set -eu
echo 'root:preflight' | chroot "$1" chpasswd
rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/apt/sources.list.d/* "$1"/var/lib/systemd/random-seed
rm -f "$1"/etc/resolv.conf "$1"/etc/machine-id
touch "$1"/etc/machine-id
# Nobody waits for a lease or a clock on these machines.
ln -sf /dev/null "$1"/etc/systemd/system/apt-daily.timer
ln -sf /dev/null "$1"/etc/systemd/system/apt-daily-upgrade.timer
