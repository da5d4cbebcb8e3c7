package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"custody.example/bench/peers/internal/workload"
)

// A served cluster says how to connect and is gone when its context ends.
func TestServesUntilTheEnd(t *testing.T) {
	if _, err := findServer(""); err != nil {
		t.Skip(err)
	}
	dir := within(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ctx, cancel := context.WithCancel(t.Context())
	said := &first{cancel: cancel}
	if err := serveUntil(ctx, options{dir: dir}, said); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(said.text, "\n"); !strings.HasPrefix(lines[0], "host=127.0.0.1 port=") ||
		!strings.Contains(lines[1], "peak") {
		t.Fatal(said.text)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
		t.Fatalf("left behind: %v", left)
	}
}

// first ends a context with the first line.
type first struct {
	cancel context.CancelFunc
	text   string
}

func (f *first) Write(text []byte) (int, error) {
	f.text += string(text)
	f.cancel()
	return len(text), nil
}

// within is a directory that the server's user can reach, so not t.TempDir.
func within(t *testing.T) string {
	dir, err := os.MkdirTemp("", "postgres-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestRowsAreChained(t *testing.T) {
	bin, err := findServer("")
	if err != nil {
		t.Skip(err)
	}
	dir := within(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	server, err := start(t.Context(), bin, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer server.stop()

	events := make([]workload.Event, 1000)
	for i := range events {
		events[i] = workload.Event{Line: fmt.Appendf(nil, "line %d", i), ID: [16]byte{15: byte(i)}, Kind: "use",
			Subject: "account:1001", Categories: []string{"custody:contact"}}
	}
	found, _, err := load(t.Context(), server, events, 300)
	if err != nil {
		t.Fatal(err)
	}
	if found.Events != 1000 || found.P99Ms < found.P50Ms || found.DiskBytes < 100 || found.LogBytes < 100 {
		t.Fatalf("%+v", found)
	}

	conn, err := server.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), "SELECT hash FROM event ORDER BY seq")
	if err != nil {
		t.Fatal(err)
	}
	var head [32]byte
	for i := 0; rows.Next(); i++ {
		var hash []byte
		if err := rows.Scan(&hash); err != nil {
			t.Fatal(err)
		}
		head = sha256.Sum256(append(head[:], events[i].Line...))
		if string(hash) != string(head[:]) {
			t.Fatalf("row %d", i)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	conn.Close(t.Context())
	if used := server.stop(); used <= 0 {
		t.Fatal("the server used no time")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
		t.Fatalf("left behind: %v", left)
	}
}
