#!/usr/bin/env bash
# A SLURM cluster of one node, this machine, on loopback alone, as root; it lasts until standard input ends:
#   apt-get install --no-install-recommends slurm-wlm munge
#   tests/cluster/slurm-local.sh    # Ctrl-D ends it
# Partitions cpu and gpu, two CPUs, and two GPUs that are not there. A job above its memory is killed.
set -euo pipefail

conf=/etc/slurm # the place that is built in: job steps do not pass SLURM_CONF on
host=$(hostname -s)
if [[ -e $conf/slurm.conf ]] && ! grep -qs "^# by slurm-local.sh" $conf/slurm.conf; then
  echo "slurm-local.sh: $conf/slurm.conf is not ours, and stays as it is: this machine has a cluster" >&2
  exit 1
fi
exec 9>/run/lock/slurm-local
flock --wait 900 9 # one at a time

state=$(mktemp --directory /var/tmp/slurm-local.XXXXXX)
trap 'trap "" INT TERM; end' EXIT
trap 'exit 1' INT TERM
end() {
  scancel --user=root 2>/dev/null || true
  for _ in {1..100}; do # a job that is not over when its node's daemon ends would live on
    [[ -n $(squeue --noheader 2>/dev/null) ]] || break
    sleep 0.1
  done
  kill $(jobs -p) 2>/dev/null || true
  wait || true
  rm -rf "$state" $conf/slurm.conf $conf/gres.conf
}
# A daemon that ends with this script, however that ends.
daemon() { setpriv --pdeathsig KILL "$@" >>"$state/daemons.log" 2>&1 9>&- </dev/null & }

install --directory --owner=munge --group=munge "$state/munge"
chmod 755 "$state"
head -c 128 /dev/urandom >"$state/munge/key"
chown munge:munge "$state/munge/key"
chmod 400 "$state/munge/key"
daemon --reuid munge --regid munge --clear-groups munged --foreground --key-file="$state/munge/key" \
  --socket="$state/munge/socket" --pid-file="$state/munge/pid" --log-file="$state/munge/log" --seed-file="$state/munge/seed"

echo "# by slurm-local.sh
NodeName=$host Name=gpu File=/dev/null
NodeName=$host Name=gpu File=/dev/zero" >$conf/gres.conf
echo "# by slurm-local.sh
ClusterName=local
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
AuthInfo=socket=$state/munge/socket
StateSaveLocation=$state/ctld
SlurmdSpoolDir=$state/d
SlurmctldPidFile=$state/slurmctld.pid
SlurmdPidFile=$state/slurmd.pid
SlurmctldLogFile=$state/slurmctld.log
SlurmdLogFile=$state/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=1,batch_sched_delay=0
GresTypes=gpu
SlurmdParameters=config_overrides
MinJobAge=3600
KillWait=2
CompleteWait=0
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 RealMemory=8000 Gres=gpu:2 State=UNKNOWN
PartitionName=cpu Nodes=$host Default=YES State=UP
PartitionName=gpu Nodes=$host State=UP" >$conf/slurm.conf
mkdir "$state/ctld" "$state/d"

until [[ -S $state/munge/socket ]]; do kill -0 $!; sleep 0.1; done
daemon slurmctld -D
daemon slurmd -D
for _ in {1..300}; do
  if [[ $(sinfo --noheader --format=%T --partition=gpu 2>/dev/null) == idle ]]; then
    echo ready
    cat >/dev/null
    exit
  fi
  sleep 0.1
done
cat "$state"/*.log >&2
exit 1
