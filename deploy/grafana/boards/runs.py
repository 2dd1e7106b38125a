"""Runs, queues, retries, dead letters."""

from __future__ import annotations

from boards.spec import Board, Panel, Query, Row, one

_RUNS = Row(
    "Runs",
    (
        one(
            "How the newest run stands",
            "1 for how it stands, over time.",
            'cbi_newest_run{market=~"$market"}',
            "{{market}} {{outcome}}",
            runbook="RunFailed",
        ),
        one(
            "Open for",
            "Age of the newest run while it has not ended.",
            'cbi_open_run_seconds{market=~"$market"}',
            "{{market}}",
            unit="s",
            warn=7_200,
            bad=21_600,
            runbook="RunSlow",
        ),
        one(
            "Took",
            "From the request to the final forecast, newest finished run of each profile.",
            'cbi_run_seconds{market=~"$market"}',
            "{{market}} {{profile}}",
            unit="s",
            runbook="RunSlow",
        ),
        one(
            "Models of the newest run",
            "By device; `awaited` shrinks to 0, `failed` ought to stay there.",
            'sum by (market, device, outcome) (cbi_run_models{market=~"$market"})',
            "{{market}} {{device}} {{outcome}}",
            kind="bars",
            width=12,
            runbook="ModelsFailed",
        ),
        one(
            "Awaited by the forecast",
            "Members that a provisional forecast still waits for, and horizons without one.",
            'cbi_forecast_awaited_members{market=~"$market"}',
            "{{market}} {{world}} members",
            width=12,
            runbook="ForecastProvisional",
        ),
    ),
)
_QUEUES = Row(
    "Queues",
    (
        one(
            "Waiting",
            "Messages that nobody was given yet, by consumer.",
            "sum by (consumer) (cbi_queue_waiting_messages)",
            "{{consumer}}",
            runbook="QueueUnattended",
        ),
        one(
            "In work",
            "Given out and not acknowledged, or put off until later.",
            "sum by (consumer) (cbi_queue_in_work_messages)",
            "{{consumer}}",
            runbook="QueueUnattended",
        ),
        one(
            "Age of the oldest",
            "Of what is not acknowledged. `ensemble--issue_provisional` waits for two hours on purpose.",
            "max by (consumer) (cbi_queue_oldest_message_seconds)",
            "{{consumer}}",
            unit="s",
            warn=7_200,
            bad=21_600,
            runbook="QueueOld",
        ),
        one(
            "Given out",
            "Deliveries per second, by consumer.",
            "sum by (consumer) (rate(cbi_queue_deliveries_total[5m]))",
            "{{consumer}}",
            unit="ops",
        ),
        one(
            "Given out more than once",
            "Messages in work now that had been given out before.",
            "sum by (consumer) (cbi_queue_redelivered_messages)",
            "{{consumer}}",
            runbook="MessagesRetried",
        ),
        one(
            "Redelivered in a day",
            "By service; some are put off on purpose.",
            "sum by (service) (increase(cbi_messages_redelivered_total[1d]))",
            "{{service}}",
            kind="bars",
            runbook="MessagesRetried",
        ),
    ),
)
_HANDLED = Row(
    "Messages",
    (
        one(
            "How handling ends",
            "Per second. `retried` and `dead` are trouble, `put off` and `handed back` are not.",
            "sum by (outcome) (rate(cbi_messages_handled_total[5m]))",
            "{{outcome}}",
            unit="ops",
            runbook="MessagesRetried",
        ),
        one(
            "Retried in half an hour",
            "By service and event: who fails at what.",
            'sum by (service, subject) (increase(cbi_messages_handled_total{outcome="retried"}[30m]))',
            "{{service}} {{subject}}",
            warn=10,
            runbook="MessagesRetried",
        ),
        one(
            "Published",
            "Events per second, by event.",
            "sum by (subject) (rate(cbi_events_published_total[5m]))",
            "{{subject}}",
            unit="ops",
        ),
        Panel(
            "Dead letters",
            "Kept, by who gave up; and given up within a day.",
            (
                Query("cbi_dead_letters_kept", "{{consumer}} kept"),
                Query(
                    "sum by (service, subject) (increase(cbi_dead_letters_total[1d]))",
                    "{{service}} {{subject}} in a day",
                ),
            ),
            width=12,
            bad=1,
            runbook="Dead letters",
        ),
        Panel(
            "Streams",
            "What the bus holds.",
            (Query("cbi_stream_bytes", "{{stream}}"),),
            unit="bytes",
            width=6,
            runbook="DiskLow",
        ),
        one("Messages held", "By stream.", "cbi_stream_messages", "{{stream}}", width=6),
    ),
)
BOARD = Board("cbi-runs", "CBI Runs and queues", "Where a run is, and what keeps it.", (_RUNS, _QUEUES, _HANDLED))
