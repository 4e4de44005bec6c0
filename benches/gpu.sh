#!/usr/bin/env bash
# What a GPU makes of Resonetics: is it right, how fast does it train, what does it reach in a minute.
# Needs bash 4, python3 with PyTorch 2.11.0, and a carried `resonetics` (cargo xtask bench --gpu packs it);
# no Rust, no network. Takes less than 8 minutes. Each step has a time limit, and one that fails does not end the others.
set -u

usage() {
    cat <<'END'
usage: gpu.sh [--device cpu|cuda] [--quick] [--out FILE] [--bin DIR]

  --device D   what the torch learner computes on [cuda]
  --quick      a tenth of the environments, rollouts and seconds: whether it works
  --out FILE   where the results go [gpu.json]
  --bin DIR    the folder of `resonetics` [this script's]

Exit status: 0, or 1 if a step failed, or 2 if it cannot begin.
END
}

refuse() {
    printf 'error: %s\n' "$1" >&2
    exit 2
}

here=$(cd "$(dirname "$0")" && pwd)
device=cuda quick=false out=gpu.json bin=$here
while [ $# -gt 0 ]; do
    case $1 in
        --quick) quick=true ;;
        --device | --out | --bin)
            [ $# -gt 1 ] || refuse "$1: a value has to follow"
            case $1 in
                --device) device=$2 ;;
                --out) out=$2 ;;
                --bin) bin=$2 ;;
            esac
            shift
            ;;
        --help) usage && exit 0 ;;
        *) usage >&2 && refuse "\`$1\` is not known" ;;
    esac
    shift
done
case $device in
    cpu | cuda) ;;
    *) refuse "--device $device: expected cpu or cuda" ;;
esac
[ -x "$bin/resonetics" ] || refuse "no program $bin/resonetics: say where it is with --bin"
program=$(cd "$bin" && pwd)/resonetics
recording=$here/prophet_kernel.json
[ -f "$recording" ] || recording=$here/../reference/prophet_kernel.json
[ -f "$recording" ] || refuse "no prophet_kernel.json beside this script"
for tool in python3 timeout; do
    command -v "$tool" >/dev/null || refuse "no $tool on PATH"
done
# Before minutes of work: whether its outcome can be written.
: >"$out" || refuse "cannot write $out"

# Version and folder of the torch that python3 would import, without importing it.
found=$(python3 - <<'END'
import importlib.util, pathlib, re, sys
spec = importlib.util.find_spec("torch")
if spec is None or not spec.submodule_search_locations:
    sys.exit("python3 finds no torch")
folder = pathlib.Path(list(spec.submodule_search_locations)[0]).resolve()
version = "unknown"
for name, pattern in (("version.py", r"__version__\s*=\s*['\"]([^'\"]+)"), ("build-version", r"(\S+)")):
    if (folder / name).is_file():
        match = re.search(pattern, (folder / name).read_text())
        version = match.group(1) if match else version
        break
print(version)
print(":".join(str(lib) for lib in [folder / "lib", *sorted(folder.parent.glob("nvidia/*/lib"))]))
END
) || refuse "python3 finds no PyTorch: pip install torch==2.11.0, or activate the environment that has it"
torch=${found%%$'\n'*}
case $torch in
    2.11.0 | 2.11.0+*) ;;
    *) refuse "PyTorch is $torch, and the program needs 2.11.0: pip install torch==2.11.0 in an environment of its own" ;;
esac
export LD_LIBRARY_PATH=${found#*$'\n'}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

work=$(mktemp -d) || refuse "no room for temporary files"
count=0

# One JSON file of all steps so far, also where this is interrupted.
collect() {
    python3 - "$work" "$out" "$torch" "$device" "$quick" <<'END'
import csv, json, pathlib, platform, subprocess, sys
work, out, torch, device, quick = pathlib.Path(sys.argv[1]), *sys.argv[2:]

def reached(run):
    """Greedy returns over steps of a training, in its own files."""
    rows = list(csv.DictReader((run / "training.csv").open()))
    seconds = json.loads((work / (run.name + ".seconds")).read_text())
    greedy = [{"steps": int(row["steps"]), "greedy_return": float(row["greedy_return"])}
              for row in rows if row["greedy_return"]]
    best = max(greedy, key=lambda row: row["greedy_return"])
    return {"seconds": seconds, "steps": int(rows[-1]["steps"]), "updates": int(rows[-1]["update"]),
            "greedy_return_last": greedy[-1]["greedy_return"], "greedy_return_best": best["greedy_return"],
            "greedy_returns": greedy}

def step(file):
    about = json.loads(file.read_text())
    text = file.with_suffix(".stdout").read_text(errors="replace").strip()
    said = file.with_suffix(".stderr").read_text(errors="replace").strip()
    # A training is stopped when its seconds are over: 128 + SIGTERM.
    training = about["command"].startswith("resonetics train ")
    ok = about["status"] in ((0, 143) if training else (0,))
    result = None
    try:
        if training:
            result = reached(work / about["step"])
            ok = ok and result["updates"] > 0
        else:
            result = json.loads(text) if text.startswith("{") else text.splitlines()
    except (OSError, ValueError, IndexError, KeyError) as error:
        ok, said = False, f"{said}\nno result: {error!r}".strip()
    # Stopped with SIGTERM, or killed because it did not stop.
    if not ok and about["status"] in (137, 143):
        said = f"{said}\nstopped at its time limit of {about['limit_s']} s".strip()
    return {**about, "ok": ok, "result": result, "error": None if ok else said}

def graphics():
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, timeout=10).stdout.splitlines()
    except (OSError, subprocess.TimeoutExpired):
        return []

steps = [step(file) for file in sorted(work.glob("*.about"))]
failed = [step["step"] for step in steps if not step["ok"]]
pathlib.Path(out).write_text(json.dumps({
    "torch": torch, "device": device, "quick": quick == "true", "gpus": graphics(),
    "system": f"{platform.system()} {platform.release()}", "libc": " ".join(platform.libc_ver()),
    "failed": failed, "steps": steps}, indent=1) + "\n")
print(f"{len(steps)} steps, {len(failed)} failed{': ' + ', '.join(failed) if failed else ''}; results in {out}")
sys.exit(1 if failed else 0)
END
}

finish() {
    trap - EXIT
    collect
    status=$?
    rm -rf "$work"
    exit $status
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

# step NAME LIMIT WORDS...: the program with these words, and what became of it.
step() {
    local name=$1 limit=$2 begun status file
    shift 2
    count=$((count + 1))
    file=$work/$(printf '%02d' "$count")
    printf '%s (at most %s s)\n' "$name" "$limit"
    begun=$(date +%s.%N)
    # A second signal would be the last: whoever does not stop at the first is killed.
    timeout --preserve-status --kill-after=5 "$limit" "$program" "$@" >"$file.stdout" 2>"$file.stderr" </dev/null
    status=$?
    python3 - "$file.about" "$name" "$limit" "$begun" "$(date +%s.%N)" "$status" "$@" <<'END'
import json, pathlib, sys
file, name, limit, begun, ended, status, *words = sys.argv[1:]
seconds = round(float(ended) - float(begun), 3)
pathlib.Path(file).write_text(json.dumps({
    "step": name, "command": " ".join(["resonetics", *words]), "limit_s": float(limit), "seconds": seconds,
    "status": int(status)}))
pathlib.Path(file).with_name(name + ".seconds").write_text(json.dumps(seconds))
END
}

# A comparison to 1e-5 needs all 24 bits: NVIDIA's libraries keep 11 of them in convolutions unless told not to.
export NVIDIA_TF32_OVERRIDE=0
# The first one to load CUDA waits for gigabytes of libraries.
step doctor 60 doctor
step replay 20 replay "$recording" --device "$device"
step learners 20 doctor --learners --device "$device"
unset NVIDIA_TF32_OVERRIDE

vectors='8192 65536' horizon=16 seconds=4 minute=60
if $quick; then
    vectors='819 6553' horizon=1 seconds=0.4 minute=6
fi
throughput() {
    local learner=$1 hidden=$2 envs=$3 where=cpu
    [ "$learner" = native ] || where=$device
    # Sixteen minibatches an epoch whatever the size, or one.
    step "throughput-$learner-$hidden-$envs" 25 throughput --env k8s --train --recipe large --learner "$learner" \
        --device "$where" --seconds "$seconds" --seed 1 --quiet --set "train.network.hidden=[$hidden, $hidden]" \
        --set "train.num_envs=$envs" --set "train.minibatch=$envs" --set "train.horizon=$horizon"
}
for envs in $vectors; do
    for hidden in 64 256; do
        throughput torch "$hidden" "$envs"
    done
    throughput native 64 "$envs"
done
# A wide net and a large vector together are more than a CPU does in the time.
throughput native 256 "${vectors%% *}"

# From scratch; the time limit is what ends it. There are more steps than anything takes.
training() {
    local learner=$1 where=cpu few=
    [ "$learner" = native ] || where=$device
    # A tenth of the environments, and the greedy return at each checkpoint.
    $quick && few='--set train.num_envs=102 --set train.eval_every=1'
    # shellcheck disable=SC2086
    step "return-$learner" "$minute" train --recipe large --learner "$learner" --device "$where" --seed 1 \
        --steps 1000000000 --no-monitor --quiet --out "$work/return-$learner" $few
}
training native
training torch
