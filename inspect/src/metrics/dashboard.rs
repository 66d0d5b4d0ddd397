//! The dashboard for Grafana, of the metrics of the table.
//!
//! It can be imported, where Grafana asks for the source of data, and provisioned as a file, where
//! the variable of the same name chooses it.

use serde_json::{Value, json};

use super::panels::{Panel, ROWS};

/// What all panels read from.
const SOURCE: &str = "DS_PROMETHEUS";

/// The dashboard, as Grafana imports it.
#[must_use]
pub fn dashboard() -> String {
    let dashboard = json!({
        "__inputs": [{
            "name": SOURCE,
            "label": "Prometheus",
            "description": "Where the metrics of eventcore are",
            "type": "datasource",
            "pluginId": "prometheus",
            "pluginName": "Prometheus",
        }],
        "__requires": [{"type": "datasource", "id": "prometheus", "name": "Prometheus", "version": "1.0.0"}],
        "uid": "eventcore",
        "title": "eventcore",
        "description": "Made by `eventcore metrics --dashboard`",
        "tags": ["eventcore", "postgresql"],
        "schemaVersion": 39,
        "version": 1,
        "editable": true,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": variables()},
        "panels": panels(),
    });
    format!("{dashboard:#}\n")
}

/// Every expression of the dashboard.
#[cfg(test)]
pub(super) fn expressions() -> impl Iterator<Item = &'static str> {
    let panels = ROWS.iter().flat_map(|row| row.panels);
    panels.flat_map(|panel| panel.lines.iter().map(|(expression, _)| *expression))
}

fn source() -> Value {
    json!({"type": "prometheus", "uid": format!("${{{SOURCE}}}")})
}

fn variables() -> Vec<Value> {
    let of_label = |name: &str, metric: &str| {
        json!({
            "name": name,
            "label": name,
            "type": "query",
            "datasource": source(),
            "query": format!("label_values({metric}, {name})"),
            "refresh": 2,
            "sort": 1,
            "multi": true,
            "includeAll": true,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        })
    };
    let of_database = "{datname=~\"$datname\"}";
    vec![
        json!({"name": SOURCE, "label": "Prometheus", "type": "datasource", "query": "prometheus"}),
        of_label("datname", "eventcore_store_appends_total"),
        of_label(
            "subscription",
            &format!("eventcore_subscription_lag_events{of_database}"),
        ),
        of_label(
            "projection",
            "{__name__=~\"eventcore_(projection_lag_events|checkpoint_position)\", datname=~\"$datname\"}",
        ),
    ]
}

/// Two panels side by side, under the title of their row.
fn panels() -> Vec<Value> {
    const HEIGHT: usize = 8;
    const WIDTH: usize = 12;
    let mut panels = Vec::new();
    let mut top = 0;
    for row in ROWS {
        panels.push(json!({
            "id": panels.len() + 1,
            "type": "row",
            "title": row.title,
            "collapsed": false,
            "gridPos": {"x": 0, "y": top, "w": 2 * WIDTH, "h": 1},
            "panels": [],
        }));
        top += 1;
        for (number, panel) in row.panels.iter().enumerate() {
            let mut shown = panel.shown();
            shown["id"] = json!(panels.len() + 1);
            shown["gridPos"] = json!({
                "x": number % 2 * WIDTH,
                "y": top + number / 2 * HEIGHT,
                "w": WIDTH,
                "h": HEIGHT,
            });
            panels.push(shown);
        }
        top += row.panels.len().div_ceil(2) * HEIGHT;
    }
    panels
}

impl Panel {
    fn shown(&self) -> Value {
        let lines = self.lines.iter().zip('A'..='Z');
        let targets = lines.map(|((expression, name), letter)| {
            json!({
                "refId": letter.to_string(),
                "datasource": source(),
                "expr": chosen(expression),
                "legendFormat": name,
            })
        });
        json!({
            "type": "timeseries",
            "title": self.title,
            "datasource": source(),
            "targets": targets.collect::<Vec<_>>(),
            "fieldConfig": {"defaults": {"unit": self.unit, "min": 0}, "overrides": []},
            "options": {
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true},
                "tooltip": {"mode": "multi", "sort": "desc"},
            },
        })
    }
}

fn chosen(expression: &str) -> String {
    let database = "datname=~\"$datname\"";
    expression
        .replace(
            "@s",
            &format!("{database}, subscription=~\"$subscription\""),
        )
        .replace("@p", &format!("{database}, projection=~\"$projection\""))
        .replace('@', database)
}
