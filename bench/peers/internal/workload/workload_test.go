package workload

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const line = `{"id":"000102030405060708090a0b0c0d0e0f","time":"2025-01-01T00:00:31.536Z","kind":"use",` +
	`"service":"shop","subject":"account:1001","purpose":"custody:orders","categories":["custody:contact"],"recipient":"recipient-007","country":"DE"}`

func TestEventsAreRead(t *testing.T) {
	path := write(t, line+"\n"+line+"\n")
	events, err := Read(path, 0)
	if err != nil || len(events) != 2 {
		t.Fatal(events, err)
	}
	event := events[1]
	if string(event.Line) != line || event.ID[15] != 15 || event.Service != "shop" || event.Recipient != "recipient-007" ||
		!event.Time.Equal(time.Date(2025, 1, 1, 0, 0, 31, 536_000_000, time.UTC)) {
		t.Fatalf("%+v", event)
	}
	if events, err = Read(path, 1); err != nil || len(events) != 1 {
		t.Fatal(events, err)
	}
}

func TestOtherLinesAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":    "",
		"not JSON":   line + "\nx\n",
		"a short id": strings.Replace(line, "0e0f", "0e", 1),
	} {
		if events, err := Read(write(t, text), 0); err == nil {
			t.Errorf("%s: %v", name, events)
		}
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
