#!/bin/sh
# Installs the Debian packages that some tests use, where that is allowed; otherwise says so and goes on: those tests
# then skip, and print the reason.
packages="slurmctld slurmd slurm-client munge chromium chromium-driver asterisk-core-sounds-en-wav pocketsphinx-testdata flite codec2 postgresql prometheus prometheus-node-exporter prometheus-alertmanager"
missing=""
for package in $packages; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
	echo "note: no apt-get here; tests that need$missing will skip"
	exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "note: not root; tests that need$missing will skip (install them, or run 'make system' as root)"
	exit 0
fi
export DEBIAN_FRONTEND=noninteractive
# Only the programs are wanted: tests start them themselves, on ports of their own. So no service is started now, and those whose
# ports docs/ops.md uses are not at the next boot either; the others are, as Debian has it.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	# Not every shell does that at a signal: these end it in the ordinary way.
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
fi
{ apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >/dev/null 2>&1 \
	|| echo "note: could not install$missing; tests that need them will skip"
if [ -d /run/systemd/system ]; then
	for service in prometheus prometheus-node-exporter prometheus-alertmanager; do
		case " $missing " in *" $service "*) systemctl disable -q "$service" 2>/dev/null ;; esac
	done
fi
exit 0
