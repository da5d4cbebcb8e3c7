// Command tessera appends the workload to a Tessera POSIX log and waits for
// each entry until a published checkpoint covers it. It prints its figures as
// a line of JSON.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"custody.example/bench/peers/internal/figures"
	"custody.example/bench/peers/internal/workload"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
	"k8s.io/klog/v2"
)

// poll is how often the published checkpoint is read while entries wait.
const poll = 5 * time.Millisecond

type settings struct {
	workload    string
	events      int
	dir         string
	batch       uint
	age         time.Duration
	outstanding int
	checkpoint  time.Duration
}

func main() {
	var (
		s       settings
		round   = flag.Int("round", 0, "number for the figures")
		timeout = flag.Duration("timeout", 10*time.Minute, "give up after")
	)
	flag.StringVar(&s.workload, "workload", "", "file from custody-bench workload")
	flag.IntVar(&s.events, "events", 0, "events to append; 0: all")
	flag.StringVar(&s.dir, "dir", "", "directory on a disk; the log is a temporary one below it")
	flag.UintVar(&s.batch, "batch", 16_384, "entries of a batch")
	flag.DurationVar(&s.age, "age", time.Second, "age at which a batch is closed")
	flag.IntVar(&s.outstanding, "outstanding", 32_768, "entries that may wait at a time")
	flag.DurationVar(&s.checkpoint, "checkpoint", 100*time.Millisecond, "between checkpoints")
	flag.Parse()

	quietKlog()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	found, err := bounded(ctx, s)
	if err == nil {
		found.Round = *round
		err = found.Print()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tessera:", err)
		os.Exit(1)
	}
}

// quietKlog leaves Tessera's errors only.
func quietKlog() {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	_ = flags.Set("logtostderr", "false")
	_ = flags.Set("stderrthreshold", "ERROR")
	klog.SetOutput(io.Discard)
}

// bounded runs in a temporary directory and leaves it when the context ends,
// even though an entry's future does not.
func bounded(ctx context.Context, s settings) (*figures.Figures, error) {
	if err := figures.Check(s.dir); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.dir, "tessera-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // Before the directory goes: Tessera goes on reading it.
	type result struct {
		found *figures.Figures
		err   error
	}
	done := make(chan result, 1)
	go func() {
		found, err := run(ctx, s, dir)
		done <- result{found, err}
	}()
	select {
	case r := <-done:
		return r.found, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func run(ctx context.Context, s settings, dir string) (*figures.Figures, error) {
	events, err := workload.Read(s.workload, s.events)
	if err != nil {
		return nil, err
	}
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return nil, err
	}
	private, _, err := note.GenerateKey(rand.Reader, "bench.example/tessera")
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		return nil, err
	}
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(s.checkpoint).
		WithBatching(s.batch, s.age).
		WithPushback(uint(s.outstanding)))
	if err != nil {
		return nil, err
	}

	found := &figures.Figures{
		Side:    "tessera",
		Version: version(),
		Setting: fmt.Sprintf("published checkpoint, batch %d/%v, %d outstanding", s.batch, s.age, s.outstanding),
		Events:  len(events),
	}
	cpu, started := figures.CPU(), time.Now()
	latencies, err := appendAll(ctx, appender, reader, events, s.outstanding)
	if err != nil {
		return nil, err
	}
	found.Timed(time.Since(started), latencies)
	found.CPUMicros = float64((figures.CPU() - cpu).Microseconds()) / float64(len(events))
	if err := shutdown(ctx); err != nil {
		return nil, err
	}
	disk, err := figures.DiskBytes(dir)
	if err != nil {
		return nil, err
	}
	found.DiskBytes = float64(disk) / float64(len(events))
	found.PeakMiB, err = figures.PeakMiB()
	return found, err
}

// sent is an entry that was given to the log.
type sent struct {
	at     time.Time
	future tessera.IndexFuture
}

// appendAll adds every event, at most so many ahead of the published
// checkpoint, and returns how long each waited for it.
func appendAll(ctx context.Context, appender *tessera.Appender, reader tessera.LogReader, events []workload.Event, outstanding int) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Capacity is the bound: a place is freed when its entry is published.
	places := make(chan struct{}, outstanding)
	waiting := make(chan sent, outstanding)
	go func() {
		defer close(waiting)
		for i := range events {
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
				return
			}
			entry := tessera.NewEntry(events[i].Line)
			waiting <- sent{time.Now(), appender.Add(ctx, entry)}
		}
	}()

	latencies := make([]time.Duration, 0, len(events))
	var published uint64
	for entry := range waiting {
		// One caller's entries are numbered in order, so that one goroutine
		// can wait for all.
		index, err := entry.future()
		if err != nil {
			cancel(err)
			return nil, err
		}
		for published <= index.Index {
			if published, err = checkpointSize(ctx, reader); err != nil {
				return nil, err
			}
			if published > index.Index {
				break
			}
			select {
			case <-time.After(poll):
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
		latencies = append(latencies, time.Since(entry.at))
		<-places
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	return latencies, nil
}

// checkpointSize is the second line of the published checkpoint.
func checkpointSize(ctx context.Context, reader tessera.LogReader) (uint64, error) {
	text, err := reader.ReadCheckpoint(ctx)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	lines := bytes.SplitN(text, []byte("\n"), 3)
	if len(lines) < 3 {
		return 0, fmt.Errorf("a checkpoint of %d lines", len(lines))
	}
	return strconv.ParseUint(string(lines[1]), 10, 64)
}

// version is that of the module that was built in.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/transparency-dev/tessera" {
				return module.Version
			}
		}
	}
	return "unknown"
}
