package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestEveryEventIsPublished(t *testing.T) {
	quietKlog()
	s := settings{workload: writeEvents(t, 1000), batch: 100, age: 10 * time.Millisecond, outstanding: 250, checkpoint: 100 * time.Millisecond}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	found, err := run(ctx, s, dir)
	if err != nil {
		t.Fatal(err)
	}
	// Four times 250, each behind a checkpoint of its own.
	if found.Events != 1000 || found.Seconds < 0.3 || found.P99Ms < found.P50Ms || found.DiskBytes < 100 {
		t.Fatalf("%+v", found)
	}
	checkpoint, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil || !strings.Contains(string(checkpoint), "\n1000\n") {
		t.Fatal(string(checkpoint), err)
	}
}

func writeEvents(t *testing.T, events int) string {
	t.Helper()
	var text strings.Builder
	for i := range events {
		fmt.Fprintf(&text, `{"id":"%032x","time":"2025-01-01T00:00:00.000Z","kind":"use","service":"shop","subject":"account:%d","purpose":"custody:orders",`+
			`"categories":["custody:contact"],"recipient":"recipient-007","country":"DE"}`+"\n", i, 1000+i%50)
	}
	path := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
