#!/bin/sh
# First process of the lab kernel. The kernel hands over LAB_DIR, a folder on the host that both sides can write:
#   $LAB_DIR/command   what to run (a shell script written by kernel.ts)
#   $LAB_DIR/visible   host folders that must stay readable although /tmp is hidden
#   $LAB_DIR/rc        written last: exit status of the command. Missing afterwards means the kernel crashed.
# The root is the host's own file system, mounted read-only: nothing in here can touch the host's disk except
# $LAB_DIR/scratch. Programs are slow to start in this kernel (10 to 70 ms each), hence few of them here.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH

mount -t proc proc /proc
mount -t sysfs sys /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /dev/net
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mknod /dev/net/tun c 10 200
mount -t tmpfs run /run
mkdir -p /run/netns /run/home /run/lock /run/bin /run/lab /run/modules/lib
mount -t cgroup2 cgroup /sys/fs/cgroup

# /tmp becomes private memory; the folders that the host wants seen below it are mounted again from the host.
visible=$(cat "$LAB_DIR/visible")
command=$(cat "$LAB_DIR/command")
mount -t tmpfs -o mode=1777 tmp /tmp
for folder in $visible; do
  case $folder in
    /tmp/*) mkdir -p "$folder" && mount -t hostfs -o "ro,$folder" none "$folder" ;;
  esac
done
mkdir -p "$LAB_DIR" 2>/dev/null
mount -t hostfs -o "$LAB_DIR" none "$LAB_DIR"

# Modules load themselves when the kernel asks for them, from Debian's folder and not from /lib/modules, which
# belongs to the host's kernel. People and tests call the same wrapper as `modprobe`.
ln -s /usr/lib/uml/modules /run/modules/lib/modules
printf '#!/bin/sh\nexec /sbin/modprobe -d /run/modules "$@"\n' >/run/bin/modprobe
chmod +x /run/bin/modprobe
echo /run/bin/modprobe >/proc/sys/kernel/modprobe

# A namespace made later starts with what is set here: no duplicate address detection, which would keep each new
# IPv6 address silent for two seconds.
echo 1 >/proc/sys/net/core/devconf_inherit_init_net
/run/bin/modprobe ipv6
for scope in all default; do
  echo 0 >/proc/sys/net/ipv6/conf/$scope/accept_dad
done
hostname lab
ip link set lo up

if [ -e "$LAB_DIR/interactive" ]; then
  # The keyboard is the kernel's console 0; job control needs a real terminal as controlling terminal.
  printf '%s' "$command" >/run/lab/command
  setsid -c sh /run/lab/command </dev/tty0 >/dev/tty0 2>&1
  rc=$?
else
  # Programs get pipes, not terminals, so that they print as they would in any script.
  stty -F /dev/tty1 raw -echo
  stty -F /dev/tty2 raw -echo
  mkfifo /run/lab/stdout /run/lab/stderr
  cat </run/lab/stdout >/dev/tty1 & out=$!
  cat </run/lab/stderr >/dev/tty2 & err=$!
  (eval "$command") </dev/null >/run/lab/stdout 2>/run/lab/stderr
  rc=$?
  # Whatever the program left behind holds the pipes open: end it, then let the last output drain.
  for process in /proc/[0-9]*; do
    case ${process#/proc/} in
      1 | "$out" | "$err") ;;
      *) kill -9 "${process#/proc/}" 2>/dev/null ;;
    esac
  done
  wait "$out" "$err"
  stty -F /dev/tty1 raw
  stty -F /dev/tty2 raw
fi

echo "$rc" >"$LAB_DIR/rc"
sync
echo o >/proc/sysrq-trigger
sleep 60
