#!/bin/sh
# Installs the Debian packages that some tests use, where that is allowed; otherwise says so and goes on: those tests
# then skip, and print the reason.
packages="slurmctld slurmd slurm-client munge chromium chromium-driver asterisk-core-sounds-en-wav pocketsphinx-testdata flite codec2 postgresql"
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
{ apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >/dev/null 2>&1 \
	|| echo "note: could not install$missing; tests that need them will skip"
exit 0
