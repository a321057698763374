#!/usr/bin/env bash
# A machine with cgroup v2 and the engines of Debian 13 (Docker with BuildKit, Podman), in software where it must be.
#   scripts/vm-engine.sh make         makes its disk, about five minutes; does nothing when it is there
#   scripts/vm-engine.sh run FILE     boots it, runs FILE in a copy of this checkout as root, ends with its exit code
# The disk keeps images and builds from one run to the next. HARNESS_VM_DIR: where it lies.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

readonly HOME_DIR=${HARNESS_VM_DIR:-$PWD/.harness/vm} SUITE=trixie DISK_GIB=24 MEMORY_MIB=6144 CPUS=2
readonly DISK=$HOME_DIR/disk.ext4 SHARE=$HOME_DIR/share STAMP=$HOME_DIR/made-from LOG=$HOME_DIR/make.log
readonly TIMEOUT_S=${HARNESS_VM_TIMEOUT_S:-7200}
readonly PACKAGES=(linux-image-amd64 initramfs-tools systemd-sysv udev dbus kmod iproute2 iptables nftables procps
    docker.io docker-cli docker-buildx podman crun netavark aardvark-dns uidmap slirp4netns passt
    fuse-overlayfs rootlesskit dbus-user-session
    python3 python3-venv ca-certificates git curl qemu-utils)

wanted() { # what the disk is made from
    sha256sum requirements/dev.txt scripts/vm-engine.sh
}

prepare_host() {
    command -v qemu-system-x86_64 >/dev/null && command -v debootstrap >/dev/null && return
    can_install_packages || give_up "making a virtual machine needs root on Debian, and qemu-system-x86 and debootstrap"
    say "installing qemu and debootstrap"
    install_packages qemu-system-x86 debootstrap debian-archive-keyring e2fsprogs
}

in_root() { chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt "$@"; }

remove_root() {
    leave_root
    rm -rf --one-file-system "$root"
}

leave_root() { # debootstrap mounts some of it too
    local place
    for place in proc sys; do
        while mountpoint --quiet "$root/$place"; do umount --lazy "$root/$place"; done
    done
}

# Everything that can be done at the speed of this machine is done here, and not in the virtual one.
fill_root() {
    debootstrap --variant=minbase "$SUITE" "$root"
    if [ -r /etc/ssl/certs/ca-certificates.crt ]; then # it may hold the certificate of a proxy of this network
        mkdir -p "$root/etc/ssl/certs"
        cp /etc/ssl/certs/ca-certificates.crt "$root/etc/harness-ca.crt"
    fi
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    mount -t proc proc "$root/proc"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # packages start nothing in here
    chmod 755 "$root/usr/sbin/policy-rc.d"
    in_root apt-get update -qq
    in_root apt-get install -y -qq --no-install-recommends "${PACKAGES[@]}"
    rm "$root/usr/sbin/policy-rc.d"
    if [ -r "$root/etc/harness-ca.crt" ]; then
        cp "$root/etc/harness-ca.crt" "$root/etc/ssl/certs/ca-certificates.crt"
    fi
    printf '%s\n' virtio_blk virtio_pci virtio_net 9p 9pnet_virtio overlay >>"$root/etc/initramfs-tools/modules"
    in_root update-initramfs -u
    in_root python3 -m venv /opt/harness
    cp requirements/dev.txt "$root/opt/dev.txt"
    in_root /opt/harness/bin/pip install --quiet --no-cache-dir --require-hashes -r /opt/dev.txt
    in_root useradd --create-home --shell /bin/bash tester # the owner of rootless engines
    write_system
}

write_system() {
    printf '/dev/vda / ext4 defaults,noatime 0 1\n' >"$root/etc/fstab"
    printf 'harness-vm\n' >"$root/etc/hostname"
    printf '127.0.0.1 localhost harness-vm\n' >"$root/etc/hosts"
    rm -f "$root/etc/resolv.conf"
    printf 'nameserver 10.0.2.3\n' >"$root/etc/resolv.conf"
    printf '[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\n' >"$root/etc/systemd/network/all.network"
    in_root systemctl --quiet enable systemd-networkd docker podman.socket
    in_root systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer fstrim.timer man-db.timer dpkg-db-backup.timer
    cat >"$root/usr/local/sbin/harness-job" <<'JOB'
#!/bin/bash
mkdir -p /host && mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 host /host || exit 1
rm -rf /root/project && mkdir -p /root/project && tar -C /root/project -xf /host/project.tar
cd /root/project
# What does not fit into the virtual machine's patience is the job's own business.
bash /host/job.sh >/host/output.log 2>&1 </dev/null
printf '%s\n' "$?" >/host/exit-code
sync
JOB
    chmod 755 "$root/usr/local/sbin/harness-job"
    cat >"$root/etc/systemd/system/harness-job.service" <<'UNIT'
[Unit]
After=network-online.target docker.service podman.socket
Wants=network-online.target
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
Environment=HOME=/root LC_ALL=C.UTF-8 PATH=/opt/harness/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/usr/local/sbin/harness-job
[Install]
WantedBy=multi-user.target
UNIT
    in_root systemctl --quiet enable harness-job systemd-networkd-wait-online
}

make_disk() {
    prepare_host
    mkdir -p "$HOME_DIR"
    only_one_at_a_time "$HOME_DIR/lock"
    if [ -f "$DISK" ] && [ "$(cat "$STAMP" 2>/dev/null)" = "$(wanted)" ]; then
        say "the disk $DISK is there"
        return
    fi
    say "making $DISK from Debian $SUITE packages (about five minutes; log: $LOG)"
    rm -f "$STAMP" "$DISK"
    root=$(mktemp --directory --tmpdir harness-vm.XXXXXX)
    trap remove_root EXIT
    trap 'exit 130' INT TERM
    fill_root >"$LOG" 2>&1 || give_up "the disk could not be filled; read $LOG"
    leave_root
    cp "$root"/boot/vmlinuz-* "$HOME_DIR/kernel"
    cp "$root"/boot/initrd.img-* "$HOME_DIR/initrd"
    truncate --size "${DISK_GIB}G" "$DISK"
    mke2fs -q -t ext4 -d "$root" -F "$DISK"
    wanted >"$STAMP"
    say "made $DISK"
}

run_job() {
    make_disk
    rm -rf "$SHARE"
    mkdir -p "$SHARE"
    cp "$1" "$SHARE/job.sh"
    git ls-files --cached --others --exclude-standard -z |
        tar --create --null --files-from=- --ignore-failed-read --file "$SHARE/project.tar" 2>/dev/null
    if command -v docker >/dev/null && docker image inspect harness-base:py313 >/dev/null 2>&1; then
        # No registry may answer in there either.
        docker save harness-base:py313 --output "$SHARE/base.tar"
    fi
    : >"$SHARE/output.log"
    timeout "$TIMEOUT_S" qemu-system-x86_64 -accel "${HARNESS_VM_ACCEL:-tcg,thread=multi}" -cpu max \
        -smp "$CPUS" -m "$MEMORY_MIB" -nodefaults -display none -serial "file:$HOME_DIR/console.log" -no-reboot \
        -kernel "$HOME_DIR/kernel" -initrd "$HOME_DIR/initrd" \
        -append "root=/dev/vda rw console=ttyS0 quiet panic=1 mitigations=off systemd.show_status=0" \
        -drive "file=$DISK,format=raw,if=virtio,cache=unsafe" -object rng-random,filename=/dev/urandom,id=rng \
        -device virtio-rng-pci,rng=rng -netdev user,id=net -device virtio-net-pci,netdev=net \
        -virtfs "local,path=$SHARE,mount_tag=host,security_model=none" </dev/null &
    local machine=$!
    tail --pid="$machine" --follow --lines=+1 --sleep-interval=0.5 "$SHARE/output.log"
    wait "$machine" || say "the virtual machine ended with exit code $?" >&2
    [ -s "$SHARE/exit-code" ] || give_up "the job did not end; read $HOME_DIR/console.log"
    return "$(cat "$SHARE/exit-code")"
}

case "${1:-}" in
make) make_disk ;;
run) run_job "${2:?which file is to be run}" ;;
*) give_up "usage: $0 make | run FILE" ;;
esac
