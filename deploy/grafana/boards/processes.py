"""Processes, jobs, memory, caches, mail."""

from __future__ import annotations

from boards.spec import Board, Panel, Query, Row, one

_ALIVE = Row(
    "Processes",
    (
        one("Answers", "1: Prometheus reached it.", 'up{job="cbi"}', "{{process}} {{instance}}", runbook="ProcessDown"),
        one(
            "Takes messages",
            "1: connected to the bus, every subscription runs.",
            "min by (service) (cbi_service_ready)",
            "{{service}}",
            runbook="ServiceNotReady",
        ),
        one(
            "Memory",
            "Resident memory of each process, its child processes apart.",
            'process_resident_memory_bytes{job="cbi"}',
            "{{process}} {{instance}}",
            unit="bytes",
            bad=3_221_225_472,
            runbook="ProcessMemoryHigh",
        ),
        one(
            "CPU",
            "Cores that each process keeps busy, its child processes apart.",
            'rate(process_cpu_seconds_total{job="cbi"}[5m])',
            "{{process}} {{instance}}",
        ),
        one(
            "Open files",
            "Share of what the system allows.",
            'process_open_fds{job="cbi"} / process_max_fds{job="cbi"}',
            "{{process}} {{instance}}",
            unit="percentunit",
            warn=0.5,
            bad=0.8,
            runbook="ServiceNotReady",
        ),
        one("Room on the disk", "Where the lake lies.", "cbi_disk_free_bytes", "free", unit="bytes", runbook="DiskLow"),
    ),
)
_JOBS = Row(
    "Jobs in child processes",
    (
        Panel(
            "At work and waiting",
            "Jobs wait when every slot (CBI_CORES) is taken.",
            (Query("sum(cbi_jobs_running)", "at work"), Query("sum(cbi_jobs_waiting)", "waiting")),
            runbook="RunSlow",
        ),
        one(
            "How jobs ended in a day",
            "`killed`: by the system, when memory is short, or by a person.",
            "sum by (entry, outcome) (increase(cbi_jobs_total[1d]))",
            "{{entry}} {{outcome}}",
            kind="bars",
            runbook="JobsFailing",
        ),
        one(
            "Job duration, p95",
            "Within a day, by job.",
            "entry:cbi_job_seconds:p95_1d",
            "{{entry}}",
            unit="s",
            runbook="RunSlow",
        ),
        one(
            "CPU of jobs",
            "Cores that finished jobs kept busy.",
            "sum by (entry) (rate(cbi_job_cpu_seconds_sum[5m]))",
            "{{entry}}",
        ),
        one(
            "Job memory, p95",
            "Peak resident memory within a day, by job.",
            "entry:cbi_job_peak_bytes:p95_1d",
            "{{entry}}",
            unit="bytes",
            warn=1_610_612_736,
            bad=3_221_225_472,
            runbook="JobMemoryHigh",
        ),
        one(
            "Handler duration, p95",
            "Within a day; includes the jobs that a handler waits for.",
            "service_handler:cbi_handler_seconds:p95_1d",
            "{{service}} {{handler}}",
            unit="s",
            runbook="RunSlow",
        ),
    ),
)
_REST = Row(
    "Cache and mail",
    (
        one(
            "Folds in a day",
            "Fitted, or found in the cache: a day more ought to fit few.",
            "sum by (device, outcome) (increase(cbi_folds_total[1d]))",
            "{{device}} {{outcome}}",
            kind="bars",
            runbook="RunSlow",
        ),
        one(
            "Share of folds from the cache",
            "Within a day, by device.",
            "device:cbi_folds_cached:ratio_1d",
            "{{device}}",
            unit="percentunit",
            runbook="RunSlow",
        ),
        Panel(
            "Mail",
            "Waiting, failed since the last success, and what was sent.",
            (
                Query("cbi_mails_waiting", "waiting"),
                Query("cbi_mail_failures", "failed in a row"),
                Query("sum by (kind, outcome) (increase(cbi_mails_total[1d]))", "{{kind}} {{outcome}} in a day"),
            ),
            runbook="MailFailing",
        ),
    ),
)
BOARD = Board(
    "cbi-processes",
    "CBI Processes",
    "Who is up, what it costs, how long it takes.",
    (_ALIVE, _JOBS, _REST),
    by_market=False,
)
