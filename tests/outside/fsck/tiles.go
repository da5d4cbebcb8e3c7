package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"time"

	f_log "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
)

// grace is how long fsck may go on after it marked a tile as wrong. It should
// then end by itself; it does not while it waits for workers that have all
// ended (transparency-dev/tessera issue 1098).
const grace = 2 * time.Second

// head is a log that was found in order.
type head struct {
	origin string
	size   uint64
	root   []byte
	// rest is the checkpoint's extension lines.
	rest []byte
}

func (h head) String() string { return fmt.Sprintf("ok %s %d %x", h.origin, h.size, h.root) }

// open finds a log's resources in a directory or behind a URL.
func open(dir, address string) (fsck.Fetcher, error) {
	if (dir == "") == (address == "") {
		return nil, unaskable{errors.New("give one of -dir and -url")}
	}
	if dir != "" {
		return client.FileFetcher{Root: dir}, nil
	}
	root, err := url.Parse(address)
	if err != nil {
		return nil, unaskable{err}
	}
	if root.Scheme == "file" {
		return client.FileFetcher{Root: root.Path}, nil
	}
	fetcher, err := client.NewHTTPFetcher(root, nil)
	if err != nil {
		return nil, unaskable{err}
	}
	return fetcher, nil
}

// findLogs names the directories with a checkpoint below an export's: "" of
// its own log, and its shards'.
func findLogs(dir string) ([]string, error) {
	below, err := filepath.Glob(filepath.Join(dir, "*", "checkpoint"))
	if err != nil {
		return nil, unaskable{err}
	}
	sort.Strings(below)
	own := filepath.Join(dir, "checkpoint")
	if _, err := os.Stat(own); err != nil {
		return nil, unaskable{err}
	}
	logs := []string{""}
	for _, checkpoint := range below {
		logs = append(logs, filepath.Base(filepath.Dir(checkpoint)))
	}
	return logs, nil
}

// statedOrigin reads the first line of a checkpoint that is not yet verified.
func statedOrigin(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return "", err
	}
	return firstLine(text), nil
}

func checkStated(ctx context.Context, dir, origin string, keys keyFlag, check checkFlags) (head, error) {
	verifier, err := keys.verifier(origin)
	if err != nil {
		return head{}, err
	}
	return checkLog(ctx, client.FileFetcher{Root: dir}, origin, verifier, check)
}

// checkLog runs Tessera's fsck: the checkpoint's signature, every entry, every
// tile, the root.
func checkLog(ctx context.Context, source fsck.Fetcher, origin string, verifier note.Verifier, check checkFlags) (head, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watched := &watchedFetcher{Fetcher: source, started: make(chan struct{})}
	checker := fsck.New(origin, verifier, watched, leafHashes(check.entryBytes), fsck.Opts{N: check.workers})
	result := make(chan error, 1)
	go func() {
		defer func() {
			// fsck takes a bundle's length for granted.
			if fault := recover(); fault != nil {
				result <- fmt.Errorf("fsck panicked, as it does where a bundle lacks entries: %v", fault)
			}
		}()
		result <- checker.Check(ctx)
	}()
	select {
	case err := <-result:
		return watched.head(origin, verifier, err)
	case err := <-hung(ctx, checker, watched.started):
		return head{}, err
	}
}

// hung tells of a check that found a fault or ran out of time and does not end.
func hung(ctx context.Context, checker *fsck.Fsck, started <-chan struct{}) <-chan error {
	found := make(chan error, 1)
	go func() {
		var since time.Time
		for {
			select {
			case <-ctx.Done():
				found <- fmt.Errorf("not done in time: %w", ctx.Err())
				return
			case <-time.After(200 * time.Millisecond):
			}
			select {
			case <-started: // Before that, Status may not be asked.
			default:
				continue
			}
			place := fault(checker.Status())
			switch {
			case place == "":
			case since.IsZero():
				since = time.Now()
			case time.Since(since) > grace:
				found <- fmt.Errorf("%s, and fsck did not end", place)
				return
			}
		}
	}()
	return found
}

// fault names the first tile or bundle that fsck marked as wrong.
func fault(status fsck.Status) string {
	wrong := func(state fsck.State) bool { return state == fsck.Invalid || state == fsck.FetchError }
	for level, ranges := range status.TileRanges {
		for _, r := range ranges {
			if wrong(r.State) {
				return fmt.Sprintf("tiles of level %d: %v", level, r)
			}
		}
	}
	for _, r := range status.EntryRanges {
		if wrong(r.State) {
			return fmt.Sprintf("entry bundles: %v", r)
		}
	}
	return ""
}

// watchedFetcher remembers the checkpoint that fsck read, and tells when fsck
// has begun to read anything else.
type watchedFetcher struct {
	fsck.Fetcher
	once       sync.Once
	started    chan struct{}
	checkpoint []byte
}

func (w *watchedFetcher) ReadCheckpoint(ctx context.Context) ([]byte, error) {
	text, err := w.Fetcher.ReadCheckpoint(ctx)
	w.checkpoint = text
	return text, err
}

func (w *watchedFetcher) ReadTile(ctx context.Context, level, index uint64, width uint8) ([]byte, error) {
	w.once.Do(func() { close(w.started) })
	return w.Fetcher.ReadTile(ctx, level, index, width)
}

func (w *watchedFetcher) ReadEntryBundle(ctx context.Context, index uint64, width uint8) ([]byte, error) {
	w.once.Do(func() { close(w.started) })
	return w.Fetcher.ReadEntryBundle(ctx, index, width)
}

// head is what fsck has checked.
func (w *watchedFetcher) head(origin string, verifier note.Verifier, err error) (head, error) {
	if err != nil {
		return head{}, err
	}
	checkpoint, rest, _, err := f_log.ParseCheckpoint(w.checkpoint, origin, verifier)
	if err != nil {
		return head{}, err
	}
	return asHead(checkpoint, rest), nil
}

// leafHashes parses an entry bundle (C2SP tlog-tiles) into RFC 6962 leaf
// hashes.
func leafHashes(entryBytes uint) func([]byte) ([][]byte, error) {
	return func(bundle []byte) ([][]byte, error) {
		var parsed api.EntryBundle
		if err := parsed.UnmarshalText(bundle); err != nil {
			return nil, err
		}
		if n := len(parsed.Entries); n > layout.EntryBundleWidth {
			return nil, fmt.Errorf("a bundle of %d entries", n)
		}
		hashes := make([][]byte, 0, len(parsed.Entries))
		for _, entry := range parsed.Entries {
			if entryBytes != 0 && uint(len(entry)) != entryBytes {
				return nil, fmt.Errorf("an entry of %d bytes, not %d", len(entry), entryBytes)
			}
			hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
		}
		return hashes, nil
	}
}

// checkExtends proves from the tiles that the log continues an earlier
// checkpoint of it.
func checkExtends(ctx context.Context, source fsck.Fetcher, old *f_log.Checkpoint, now head) error {
	if old.Size > now.size {
		return fmt.Errorf("it had %d entries and has %d", old.Size, now.size)
	}
	if old.Size == 0 {
		return nil // Every log extends the empty one.
	}
	builder, err := client.NewProofBuilder(ctx, now.size, source.ReadTile)
	if err != nil {
		return err
	}
	path, err := builder.ConsistencyProof(ctx, old.Size, now.size)
	if err != nil {
		return err
	}
	return proof.VerifyConsistency(rfc6962.DefaultHasher, old.Size, now.size, path, old.Hash, now.root)
}
