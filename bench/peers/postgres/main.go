// Command postgres appends the workload to a table of a temporary PostgreSQL,
// chained by SHA-256 in the client, some thousand rows a COPY and transaction.
// It prints its figures as a line of JSON. With -serve it only serves an empty
// PostgreSQL, for others to load and ask.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"custody.example/bench/peers/internal/figures"
	"custody.example/bench/peers/internal/workload"
	"github.com/jackc/pgx/v5"
)

// schema keeps what an event says in columns and answers by person and by
// recipient, in order of time.
const schema = `
CREATE TABLE event (
	seq bigint PRIMARY KEY,
	id uuid NOT NULL,
	occurred_at timestamptz NOT NULL,
	kind text NOT NULL,
	service text NOT NULL,
	subject text NOT NULL,
	purpose text NOT NULL,
	categories text[] NOT NULL,
	recipient text NOT NULL,
	country text NOT NULL,
	hash bytea NOT NULL
);
CREATE INDEX ON event (subject, occurred_at);
CREATE INDEX ON event (recipient, occurred_at);`

var columns = []string{"seq", "id", "occurred_at", "kind", "service", "subject", "purpose", "categories", "recipient", "country", "hash"}

type options struct {
	workload, dir, bin string
	events, batch      int
}

func main() {
	// The server is to end with this thread.
	runtime.LockOSThread()
	var (
		o       options
		round   = flag.Int("round", 0, "number for the figures")
		timeout = flag.Duration("timeout", 10*time.Minute, "give up after")
	)
	flag.StringVar(&o.workload, "workload", "", "file from custody-bench workload")
	flag.IntVar(&o.events, "events", 0, "events to append; 0: all")
	flag.StringVar(&o.dir, "dir", "", "directory on a disk; the cluster is a temporary one below it")
	flag.StringVar(&o.bin, "bin", "", "directory of PostgreSQL's programs (default: Debian's)")
	flag.IntVar(&o.batch, "batch", 10_000, "rows of a COPY and transaction")
	check := flag.Bool("check", false, "only say which server would be used")
	serve := flag.Bool("serve", false, "only serve: print how to connect, and stay until interrupted")
	flag.Parse()
	if *check {
		bin, err := findServer(o.bin)
		exit(err)
		fmt.Println(bin)
		return
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	if *serve {
		exit(serveUntil(ctx, o, os.Stdout))
		return
	}
	found, err := run(ctx, o)
	if err == nil {
		found.Round = *round
		err = found.Print()
	}
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "postgres:", err)
		os.Exit(1)
	}
}

// asked are settings for a server that is asked more than it is written to.
var asked = []string{"work_mem=64MB", "maintenance_work_mem=512MB", "random_page_cost=1.1", "effective_cache_size=8GB", "max_wal_size=4GB", "jit=off"}

// serveUntil serves an empty cluster until the context ends, and prints how to
// connect to it once it can be.
func serveUntil(ctx context.Context, o options, out io.Writer) error {
	if err := figures.Check(o.dir); err != nil {
		return err
	}
	bin, err := findServer(o.bin)
	if err != nil {
		return err
	}
	server, err := start(ctx, bin, o.dir, asked...)
	if err != nil {
		return err
	}
	defer server.stop()
	conn, err := server.connect(ctx)
	if err != nil {
		return err
	}
	if err := conn.Close(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, server.address())
	select {
	case <-ctx.Done():
		memory := server.memory
		server.stop()
		fmt.Fprintf(out, "PostgreSQL's processes: peak %.0f MiB, shared buffers once\n", memory.peakKiB/1024)
		return nil
	case ended := <-server.ended:
		server.ended <- ended
		return fmt.Errorf("the server ended: %v", ended)
	}
}

func run(ctx context.Context, o options) (*figures.Figures, error) {
	if o.batch < 1 {
		return nil, errors.New("-batch must be above 0")
	}
	if err := figures.Check(o.dir); err != nil {
		return nil, err
	}
	bin, err := findServer(o.bin)
	if err != nil {
		return nil, err
	}
	events, err := workload.Read(o.workload, o.events)
	if err != nil {
		return nil, err
	}
	server, err := start(ctx, bin, o.dir)
	if err != nil {
		return nil, err
	}
	found, client, err := load(ctx, server, events, o.batch)
	used := client + server.stop()
	if err != nil {
		return nil, err
	}
	found.CPUMicros = float64(used.Microseconds()) / float64(len(events))
	found.PeakMiB = server.memory.peakKiB / 1024
	found.ClientPeakMiB, err = figures.PeakMiB()
	return found, err
}

// load appends every event and returns the figures, and the client's CPU time.
func load(ctx context.Context, server *cluster, events []workload.Event, batch int) (*figures.Figures, time.Duration, error) {
	conn, err := server.connect(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(ctx, schema); err != nil {
		return nil, 0, err
	}
	found := &figures.Figures{
		Side:    "postgresql",
		Setting: fmt.Sprintf("client chain, COPY %d, committed", batch),
		Events:  len(events),
	}
	var before string
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version'), pg_current_wal_lsn()::text").
		Scan(&found.Version, &before); err != nil {
		return nil, 0, err
	}

	cpu, started := figures.CPU(), time.Now()
	head, latencies, err := appendAll(ctx, conn, events, batch)
	if err != nil {
		return nil, 0, err
	}
	found.Timed(time.Since(started), latencies)
	client := figures.CPU() - cpu

	var (
		rows          int
		last          []byte
		disk, written float64
	)
	if err := conn.QueryRow(ctx, `SELECT count(*), (SELECT hash FROM event ORDER BY seq DESC LIMIT 1),
		pg_total_relation_size('event')::float8, (pg_current_wal_lsn() - $1::text::pg_lsn)::float8 FROM event`, before).
		Scan(&rows, &last, &disk, &written); err != nil {
		return nil, 0, err
	}
	if rows != len(events) || string(last) != string(head[:]) {
		return nil, 0, fmt.Errorf("%d rows of %d are there, or the chain ends otherwise", rows, len(events))
	}
	found.DiskBytes = disk / float64(rows)
	found.LogBytes = written / float64(rows)
	return found, client, nil
}

// appendAll returns the chain's head, and how long each transaction took.
func appendAll(ctx context.Context, conn *pgx.Conn, events []workload.Event, batch int) (head [32]byte, latencies []time.Duration, err error) {
	for first := 0; first < len(events); first += batch {
		rows := &chained{events: events[first:min(first+batch, len(events))], sequence: int64(first), head: head}
		started := time.Now()
		// One statement is one transaction.
		if _, err = conn.CopyFrom(ctx, pgx.Identifier{"event"}, columns, rows); err != nil {
			return head, nil, err
		}
		latencies = append(latencies, time.Since(started))
		head = rows.head
	}
	return head, latencies, nil
}

// chained gives COPY its rows, each with hash = SHA-256(hash before ‖ line).
type chained struct {
	events   []workload.Event
	next     int
	sequence int64
	head     [32]byte
	values   [11]any
	input    []byte
}

// Next implements pgx.CopyFromSource.
func (c *chained) Next() bool {
	c.next++
	return c.next <= len(c.events)
}

// Values implements pgx.CopyFromSource.
func (c *chained) Values() ([]any, error) {
	event := &c.events[c.next-1]
	c.input = append(append(c.input[:0], c.head[:]...), event.Line...)
	c.head = sha256.Sum256(c.input)
	c.values = [11]any{c.sequence + int64(c.next-1), event.ID, event.Time, event.Kind, event.Service,
		event.Subject, event.Purpose, event.Categories, event.Recipient, event.Country, c.head[:]}
	return c.values[:], nil
}

// Err implements pgx.CopyFromSource.
func (c *chained) Err() error { return nil }
