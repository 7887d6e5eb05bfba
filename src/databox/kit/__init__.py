"""What services are made with: HTTP, guard, dialer, control, logs, clock. Knows no one service."""
