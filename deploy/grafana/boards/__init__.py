"""Dashboards as code: each module is a dashboard, `made.py` turns it into Grafana's JSON."""
