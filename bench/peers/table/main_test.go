package main

import (
	"strings"
	"testing"
)

func TestRatiosAreOfTheSameRound(t *testing.T) {
	lines := `{"side":"tessera","version":"v1","setting":"s","round":1,"events":10,"events_per_s":100,"p99_ms":10,"disk_bytes_per_event":300,"cpu_us_per_event":20}
{"side":"custody","version":"0.1.0","setting":"c","round":1,"events":10,"events_per_s":300,"p99_ms":5,"disk_bytes_per_event":60,"cpu_us_per_event":10}
{"side":"custody","version":"0.1.0","setting":"c","round":2,"events":10,"events_per_s":1000,"p99_ms":5,"disk_bytes_per_event":60,"cpu_us_per_event":10}
{"side":"tessera","version":"v1","setting":"s","round":2,"events":10,"events_per_s":200,"p99_ms":10,"disk_bytes_per_event":300,"cpu_us_per_event":20}
{"side":"custody","version":"0.1.0","setting":"c","round":3,"events":10,"events_per_s":7,"p99_ms":5,"disk_bytes_per_event":60,"cpu_us_per_event":10}
`
	var out strings.Builder
	if err := run(strings.NewReader(lines), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"custody 0.1.0 3 10 7 300 1000",
		"tessera (s) 3.00 4.00 5.00 0.50 0.20 0.50",
	} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
			t.Errorf("%q is not in:\n%s", want, &out)
		}
	}
	if err := run(strings.NewReader("{}\nnonsense\n"), &out); err == nil {
		t.Error("nonsense was read")
	}
}
