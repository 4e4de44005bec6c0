#!/usr/bin/env python3
"""A real Prometheus and a real Alertmanager with the files of ops/, on free ports of this machine's loopback.

Without options a stand-in is scraped, whose numbers this script makes; the waits of the rules are cut short, the
rest of them is as it is. Checked: both jobs are up; every recording rule and every panel of the dashboards has a
series; metrics have the labels of metrics.txt; while nothing is wrong nothing is sent; a fault reaches who is on
call, with the title of the template, by webhook, chat and pager, a ticket the backlog, also by mail; what explains
an alert silences it; the end is told.

--full      no wait is cut short: scrapes and evaluations of 15 s; the page must come within two minutes of the fault

A real exporter instead of the stand-in:
--exporter HOST:PORT     scrape this one
--targets FILE           the targets.json that it writes; without, nothing is scraped for the job prophet
--may-lack REGEX         panels and rules that need not have a series: their title or name
--quiet SECONDS          nobody may be paged for so long
--expect-page ALERT      prints `ready`, and waits for a page of this name (the caller injects the fault)
--run RUN                the page must be of this run
--within SECONDS         how long it waits for the page; 120 unless told otherwise
"""

import argparse
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

OPS = pathlib.Path(__file__).resolve().parent.parent
QUICK = 3  # seconds that a rule waits, in place of minutes


class Failed(Exception):
    """What was checked is not so."""


def check(condition, problem):
    if not condition:
        raise Failed(problem)


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def wait_for(what, seconds, look):
    """What `look` answers, as soon as it is true; what it last answered is told if it never is."""
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        try:
            last = look()
            if last:
                return last
        except OSError as problem:
            last = problem
        time.sleep(0.25)
    raise Failed(f"{what}: not within {seconds} s ({last})")


def replaced(text, changes, where):
    """Each change must meet something: a file that is written otherwise is noticed."""
    for pattern, new in changes:
        text, times = re.subn(pattern, new, text, flags=re.MULTILINE)
        check(times, f"{where} has nothing like {pattern}")
    return text


# What is said to the receivers.


class Received:
    """All that the receivers were told: (path, what)."""

    def __init__(self):
        self.lock = threading.Lock()
        self.all = []

    def add(self, path, what):
        with self.lock:
            self.all.append((path, what))

    def at(self, path):
        with self.lock:
            return [what for where, what in self.all if where == path]

    def count(self):
        with self.lock:
            return len(self.all)


def receiver(received):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            what = json.loads(body)
            what["authorization"] = self.headers.get("Authorization")
            received.add(self.path, what)
            self.send_response(202 if self.path.startswith("/pager") else 200)
            self.end_headers()
            self.wfile.write(b'{"status":"success","message":"","dedup_key":""}' if "pager" in self.path else b"ok")

        def log_message(self, *_):
            pass

    return serve(Handler)


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def mail_box(received):
    """As much of SMTP as takes a mail."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            say = lambda text: self.wfile.write(text.encode() + b"\r\n")
            say("220 stand-in")
            while line := self.rfile.readline().strip().upper():
                if line == b"DATA":
                    say("354 go on")
                    mail = b""
                    while (part := self.rfile.readline()) != b".\r\n":
                        mail += part
                    received.add("mail", mail.decode("utf-8", "replace"))
                elif line == b"QUIT":
                    return say("221 bye")
                say("250 ok")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


# What is scraped.


def metric_list():
    """Name -> (type, labels) of metrics.txt."""
    lines = (OPS / "metrics.txt").read_text().splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return {name: (kind, set() if labels == "-" else set(labels.split(","))) for name, kind, labels in rows}


class StandIn:
    """Numbers of three runs in the text format; a test replaces it by the real exporter."""

    def __init__(self):
        self.begin = time.time()
        self.level = {"calm": 0, "tense": 1, "storm": 0}
        self.residual = {"calm": 0.2, "tense": 0.6, "storm": 0.3}
        self.stalled = set()
        self.failures = 0

    def exporter(self):
        now = time.time()
        age = now - self.begin
        samples = []
        add = lambda name, value, **labels: samples.append((name, labels, value))
        for run, residual in self.residual.items():
            add("rmb_events_total", 100 + int(age * 10), run=run)
            add("rmb_rollback_total", 0, run=run)
            add("rmb_residual_entropy_last", residual, run=run)
            add("ure_residual_entropy_last", residual, run=run)
            add("ure_harmony_index", 0.9, run=run)
            add("ure_coherence_level", 0.5, run=run)
            add("lumen_phase_diff", 0.3, run=run)
            add("lumen_entropy_rate", 0.4, run=run)
            add("lumen_creative_band", 0.8, run=run)
            add("lumen_risk_band", 0.1, run=run)
            for kind in ["residual", "ratio", "final"]:
                add("lumen_level", 0 if kind == "ratio" else self.level[run], run=run, kind=kind)
            add("lumen_run_last_update_timestamp_seconds", now - (1000 if run in self.stalled else 1), run=run)
            add("lumen_run_update_interval_seconds", 0.5, run=run)
            add("lumen_gate_state", 0, run=run)
            add("lumen_commands_total", 3, run=run, cmd="knob.set", by="others")
        for window in ["W24h", "W7d"]:
            for channel in ["equal", "lumen", "lubit", "sena", "vinoce"]:
                for term, value in [("symmetry", 0.95), ("continuity", 1), ("entropy", 0.1), ("phase", 0.1), ("coherence", 0.9)]:
                    add(f"resonance_{term}", value, channel=channel, window=window)
            add("fractal_delta_phase_bandwidth", 0.5, window=window, experiment="e")
            add("fractal_resonance_entropy", 0.6, window=window, experiment="e")
            add("fractal_coupling", 0.2, window=window, experiment="e")
        labels = {"pipeline": "train", "region": "local", "runner": "r", "version": "1"}
        add("lumen_runs_total", int(age), **labels)
        add("lumen_runs_success_total", int(age), **labels)
        add("lumen_runs_failed_total", 0, error_class="numeric", **labels)
        add("lumen_region_consecutive_failures", self.failures, region="local")
        for source in ["runs", "ledger"]:
            add("lumen_source_age_seconds", 1, source=source)
            add("lumen_source_window_seconds", 60, source=source)
            add("lumen_dropped_total", 0, source=source)
        add("lumen_proof_chain_ok", 1)
        add("lumen_proof_chain_height", 3)
        add("lumen_proof_chain_bytes", 4096)
        add("lumen_proof_chain_head_info", 1, hash="0123456789ab")
        add("tlog_entries_total", 3)
        add("lumen_reproduced_total", 1, result="same")
        for window in ["1h", "1d"]:
            add("tlog_inclusion_ok", 1, window=window)
        add("lumen_remote_integrity_ok", 1)
        add("lumen_key_expiry_timestamp", now + 9e6, role="signer")
        add("custody_ceremony_timestamp", now - 9e5)
        add("custody_audit_timestamp", now - 9e5)
        return samples

    def monitor(self):
        age = time.time() - self.begin
        names = ["training_step_total", "learning_rate", "predicted_risk", "actual_error", "system_status", "kernel_wR"]
        names += ["kernel_eps", "episode_return_mean", "steps_per_second", "episodes_total", "rollbacks_total", "nonfinite_total"]
        moving = {"training_step_total": int(age * 100), "episodes_total": int(age), "system_status": 3}
        return [(f"prophet_{name}", {}, moving.get(name, 0)) for name in names]

    def serve(self, samples):
        """The samples, written as text into a file, and the file served; whoever asks gets new ones."""
        kinds = metric_list()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                text = text_format(samples(), kinds).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        return f"127.0.0.1:{serve(Handler)}"


def text_format(samples, kinds):
    lines = []
    for name in dict.fromkeys(name for name, _, _ in samples):
        lines += [f"# HELP {name} {name}", f"# TYPE {name} {kinds[name][0]}"]
        for other, labels, value in samples:
            if other == name:
                inside = ",".join(f'{key}="{value}"' for key, value in labels.items())
                lines.append(f"{name}{{{inside}}} {value}")
    return "\n".join(lines) + "\n"


# What is asked.


def expressions():
    """(what, expression) of every recording rule, every panel, with its variables set to all, and every variable."""
    rules = (OPS / "prometheus/rules/recording.yml").read_text()
    found = [(f"rule {name}", name) for name in re.findall(r"^ +- record: (\S+)$", rules, re.MULTILINE)]
    check(found, "recording.yml records nothing")
    for path in sorted((OPS / "grafana").glob("*.json")):
        board = json.loads(path.read_text())
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()
                found.append((f"{board['uid']}: the variable {variable['name']}", f'count by ({label}) ({metric}{{{label}!=""}})'))
        for panel in board["panels"]:
            for target in panel["targets"]:
                expression = re.sub(r"\$\{?(run|channel|window|experiment)\}?", ".*", target["expr"])
                check("$" not in expression, f"{board['uid']}: a variable is left in {expression}")
                found.append((f"{board['uid']}: {panel['title']} ({target['refId']})", expression))
    return found


def needs_fault(expression):
    return expression.startswith("ALERTS") or "lumen_level == 2" in expression


class Stack:
    def __init__(self, options, folder, exporter, targets):
        self.folder = folder
        self.received = Received()
        self.children = []
        self.web = free_port()
        hooks, mails = receiver(self.received), mail_box(self.received)
        self.alertmanagers = [free_port(), free_port()]
        short = not options.full
        shutil.copytree(OPS / "alertmanager", folder / "alertmanager")
        secrets = folder / "alertmanager/secrets"
        secrets.mkdir()
        (secrets / "chat_webhook").write_text(f"http://127.0.0.1:{hooks}/chat")
        (secrets / "pager_key").write_text("key")
        (secrets / "webhook_token").write_text("token")
        waits = [(r"group_wait: \S+", "group_wait: 1s"), (r"group_interval: \S+", "group_interval: 2s")]
        changes = {
            "alertmanager.yml": [(r"http://127\.0\.0\.1:9097/", f"http://127.0.0.1:{hooks}/plain/")],
            "alertmanager-outside.yml": [
                (r"http://127\.0\.0\.1:9097/", f"http://127.0.0.1:{hooks}/"),
                (r"/run/secrets/", f"{secrets}/"),
                (r"127\.0\.0\.1:25$", f"127.0.0.1:{mails}"),
                (r"^global:$", f"global:\n  pagerduty_url: http://127.0.0.1:{hooks}/pager"),
            ],
        }
        for port, (name, more) in zip(self.alertmanagers, changes.items()):
            path = folder / "alertmanager" / name
            path.write_text(replaced(path.read_text(), more + (waits if short else []), name))
            self.start(name, options.alertmanager, f"--config.file={path}", f"--storage.path={folder / name}.data",
                       f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=")
        rules = folder / "rules"
        rules.mkdir()
        for name in ["recording.yml", "alerts.yml"]:
            text = (OPS / "prometheus/rules" / name).read_text()
            if short and name == "alerts.yml":
                text = replaced(text, [(r"^( +for:) (?!0m)\S+$", rf"\1 {QUICK}s")], name)
            if short and name == "recording.yml":
                text = replaced(text, [(r"^( +interval:) \S+$", r"\1 1s")], name)
            (rules / name).write_text(text)
        both = ", ".join(f'"127.0.0.1:{port}"' for port in self.alertmanagers)
        more = [(r'"127\.0\.0\.1:8088"', f'"{exporter}"'), (r'"127\.0\.0\.1:9093"', both),
                (r"targets/targets\.json", str(targets))]
        if short:
            more += [(r"(scrape_interval|scrape_timeout|evaluation_interval): \S+", r"\1: 1s"),
                     (r"refresh_interval: \S+", "refresh_interval: 1s")]
        config = folder / "prometheus.yml"
        config.write_text(replaced((OPS / "prometheus/prometheus.yml").read_text(), more, "prometheus.yml"))
        self.start("prometheus", options.prometheus, f"--config.file={config}",
                   f"--storage.tsdb.path={folder / 'prometheus.data'}", f"--web.listen-address=127.0.0.1:{self.web}")

    def start(self, name, program, *arguments):
        log = open(self.folder / f"{name}.log", "w")
        self.children.append(subprocess.Popen([program, *arguments], stdout=log, stderr=log, cwd=self.folder))

    def stop(self):
        for child in self.children:
            child.terminate()
        for child in self.children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()

    def query(self, expression):
        words = urllib.parse.urlencode({"query": expression})
        return get(f"http://127.0.0.1:{self.web}/api/v1/query?{words}")["data"]["result"]

    def has(self, expression):
        return bool(self.query(expression))

    def wait_up(self, jobs):
        for child in self.children:
            check(child.poll() is None, f"a server ended: {child.args[0]}, see its log")
        for job in jobs:
            wait_for(f"job {job} is up", 60, lambda: self.has(f'up{{job="{job}"}} == 1'))

    def wait_series(self, wanted, seconds):
        """Every expression has a series; those that have none in the end are named."""
        missing = list(wanted)
        def look():
            missing[:] = [(what, expression) for what, expression in missing if not self.has(expression)]
            return not missing
        try:
            wait_for("series", seconds, look)
        except Failed:
            names = "\n  ".join(f"{what}: {expression}" for what, expression in missing)
            raise Failed(f"{len(missing)} of {len(wanted)} have no series after {seconds} s:\n  {names}") from None

    def check_labels(self):
        """Series have the labels of metrics.txt, and nothing else is scraped."""
        kinds = metric_list()
        own = {"__name__", "job", "instance"}
        for series in self.query('{job=~"lumen|prophet"}'):
            name, labels = series["metric"]["__name__"], set(series["metric"]) - own
            if name in ("up", "ALERTS", "ALERTS_FOR_STATE") or name.startswith("scrape_"):
                continue
            if name in kinds:
                check(labels == kinds[name][1], f"{name} has the labels {sorted(labels)}, metrics.txt {sorted(kinds[name][1])}")
            else:
                recorded = {expression for what, expression in expressions() if what.startswith("rule ")}
                check(name in recorded, f"{name} is not in metrics.txt")
        about = get(f"http://127.0.0.1:{self.web}/api/v1/metadata")["data"]
        for name, entries in about.items():
            # OpenMetrics names a counter without its ending.
            kind = kinds.get(name) or kinds.get(name + "_total")
            if kind:
                check(entries[0]["type"] == kind[0], f"{name} is a {entries[0]['type']}, in metrics.txt a {kind[0]}")

    def alerts(self):
        return get(f"http://127.0.0.1:{self.web}/api/v1/alerts")["data"]["alerts"]

    def check_quiet(self, seconds, tickets=False):
        """Nothing alerts; `tickets`: nothing that would wake somebody."""
        time.sleep(seconds)
        told = lambda alert: not tickets or alert["labels"]["severity"] in ("page", "critical")
        firing = [alert for alert in self.alerts() if alert["state"] == "firing" and told(alert)]
        check(not firing, f"nothing is wrong, and these alert: {firing}")
        sent = self.received.at("/oncall") if tickets else self.received.count()
        check(not sent, f"nothing is wrong, and this was sent: {self.received.all}")

    def wait_page(self, alert, run, seconds, status="firing"):
        """The webhook's message of whoever is on call."""
        def look():
            for message in self.received.at("/oncall"):
                labels = message["commonLabels"]
                if (labels.get("alertname"), message["status"]) == (alert, status) and run in (None, labels.get("run")):
                    return message
        return wait_for(f"a page {alert} of the run {run}, {status}", seconds, look)

    def suppressed(self, alert, run):
        for port in self.alertmanagers:
            found = get(f"http://127.0.0.1:{port}/api/v2/alerts?silenced=false&inhibited=true&active=true")
            states = [it["status"]["state"] for it in found if (it["labels"]["alertname"], it["labels"].get("run")) == (alert, run)]
            if states != ["suppressed"]:
                return False
        return True


def with_stand_in(options, folder):
    stand_in = StandIn()
    exporter, monitor = stand_in.serve(stand_in.exporter), stand_in.serve(stand_in.monitor)
    wanted = {name for name, _, _ in stand_in.exporter() + stand_in.monitor()}
    check(wanted == set(metric_list()), f"the stand-in differs from metrics.txt: {wanted ^ set(metric_list())}")
    targets = folder / "targets.json"
    targets.write_text(json.dumps([{"targets": [monitor], "labels": {"run": "calm"}}]))
    stack = Stack(options, folder, exporter, targets)
    try:
        stack.wait_up(["lumen", "prophet"])
        everything = expressions()
        stack.wait_series([it for it in everything if not needs_fault(it[1])], 150 if options.full else 60)
        print(f"   {len(everything)} rules and panels have series, but those of alerts", flush=True)
        stack.check_labels()
        stack.check_quiet(75 if options.full else 3 * QUICK)
        print("   while nothing is wrong, nothing is sent", flush=True)

        began = time.monotonic()
        stand_in.residual["storm"], stand_in.level["storm"], stand_in.failures = 0.95, 2, 3
        page = stack.wait_page("LumenLevelAlert", "storm", 120 if options.full else 40)
        took = time.monotonic() - began
        print(f"   the page came {took:.0f} s after the fault{'' if options.full else ' (waits cut short)'}", flush=True)
        check(page["authorization"] == "Bearer token", "the webhook's token is not sent")
        annotations = page["alerts"][0]["annotations"]
        check(annotations["summary"] == "run storm: level 2 (ALERT) for 1 min", annotations)
        check((OPS.parent / annotations["runbook_url"]).is_file(), f"there is no {annotations['runbook_url']}")
        title = "[page] LumenLevelAlert storm: 1 firing"
        chat = wait_for("chat", 40, lambda: [it for it in stack.received.at("/chat") if it["attachments"][0]["title"] == title])
        text = chat[0]["attachments"][0]["text"]
        check(re.fullmatch(r"firing since [-0-9]+ [:0-9]+ UTC: run storm: level 2 \(ALERT\) for 1 min\nsee docs/runbooks/level-alert.md", text.strip()), text)
        wait_for("the pager", 40, lambda: [it for it in stack.received.at("/pager") if it["payload"]["summary"] == title])
        wait_for("the plain webhook", 40, lambda: [it for it in stack.received.at("/plain/oncall") if it["commonLabels"]["alertname"] == "LumenLevelAlert"])
        stack.wait_series([it for it in everything if needs_fault(it[1])], 40)
        ticket = "[ticket] LumenRegionConsecutiveFailures: 1 firing"
        wait_for("a mail of the ticket", 90, lambda: [it for it in stack.received.at("mail") if f"Subject: {ticket}" in it and "the last 3 runs failed" in it])
        check(stack.received.at("/plain/backlog"), "the backlog's webhook was told nothing")
        sent = json.dumps(stack.received.all)
        check("calm" not in sent and "tense" not in sent, f"a run was named with which nothing is wrong: {sent}")
        print("   webhook, chat, pager and mail have their titles; nobody else was named", flush=True)
        if not options.full:
            wait_for("the residual's alert is explained by the level's", 40, lambda: stack.suppressed("RMBResidualHigh", "storm"))
            stand_in.stalled.add("storm")
            stack.wait_page("LumenRunStalled", "storm", 40)
            wait_for("a run that stalls silences the rest of it", 40, lambda: stack.suppressed("LumenLevelAlert", "storm"))
            stand_in.stalled.clear()
            stand_in.residual["storm"], stand_in.level["storm"], stand_in.failures = 0.2, 0, 0
            stack.wait_page("LumenRunStalled", "storm", 30, "resolved")
            wait_for("its end in chat", 40, lambda: [it for it in stack.received.at("/chat") if it["attachments"][0]["title"] == "[page] LumenRunStalled storm: resolved"])
            print("   what explains an alert silences it, and the end is told", flush=True)
    finally:
        stack.stop()


def with_exporter(options, folder):
    targets = options.targets or folder / "none.json"
    stack = Stack(options, folder, options.exporter, targets.resolve())
    try:
        stack.wait_up(["lumen", "prophet"] if options.targets else ["lumen"])
        wanted = [it for it in expressions() if not needs_fault(it[1])]
        if options.may_lack:
            wanted = [it for it in wanted if not re.search(options.may_lack, it[0])]
        stack.wait_series(wanted, 150 if options.full else 30)
        stack.check_labels()
        print(f"   {len(wanted)} rules and panels have series", flush=True)
        if options.quiet:
            stack.check_quiet(options.quiet, tickets=True)
            print(f"   for {options.quiet} s nobody was paged", flush=True)
        if options.expect_page:
            print("ready", flush=True)
            began = time.monotonic()
            page = stack.wait_page(options.expect_page, options.run, options.within)
            took = time.monotonic() - began
            print(json.dumps({"seconds": round(took, 1), "page": page}), flush=True)
    finally:
        stack.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prometheus", default="prometheus", help="the program")
    parser.add_argument("--alertmanager", default="prometheus-alertmanager", help="the program")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--exporter")
    parser.add_argument("--targets", type=pathlib.Path)
    parser.add_argument("--may-lack")
    parser.add_argument("--quiet", type=float)
    parser.add_argument("--expect-page")
    parser.add_argument("--run")
    parser.add_argument("--within", type=float, default=120)
    options = parser.parse_args()
    # Settings of a proxy are for outside, and all of this is inside.
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="lumen-ops-") as place:
        folder = pathlib.Path(place)
        try:
            (with_exporter if options.exporter else with_stand_in)(options, folder)
        except Failed as problem:
            print(f"failed: {problem}")
            for log in sorted(folder.glob("*.log")):
                errors = [line for line in log.read_text().splitlines() if "level=error" in line or "level=warn" in line]
                print("\n".join([f"-- {log.name}"] + errors[-5:]))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
