"""What people see of a study: tables, figures, notes, the HTML report and the dashboard."""
