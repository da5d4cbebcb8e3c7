package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	f_note "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

const (
	ledgerOrigin = "custody/0123456789abcdef0123456789abcdef"
	shardName    = "89abcdef0123456789abcdef01234567"
	shardOrigin  = ledgerOrigin + "/" + shardName
)

// seed is one key under several names, as a ledger has it.
var seed = bytes.Repeat([]byte{7}, 32)

func signer(t *testing.T, name string, seed []byte) (note.Signer, string) {
	t.Helper()
	private, public, err := note.GenerateKey(bytes.NewReader(seed), name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer, public
}

// writeLog lets Tessera write, or continue, a log of so many entries.
func writeLog(t *testing.T, dir, origin string, entries int) {
	t.Helper()
	writeEntries(t, dir, origin, numbered(0, entries))
}

// numbered are entries of 32 bytes.
func numbered(first, entries int) [][]byte {
	var all [][]byte
	for i := range entries {
		all = append(all, entry(first+i))
	}
	return all
}

func writeEntries(t *testing.T, dir, origin string, entries [][]byte) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	key, _ := signer(t, origin, seed)
	appender, shutdown, _, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().
		WithCheckpointSigner(key).
		WithCheckpointInterval(100*time.Millisecond).
		WithBatching(256, 10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	futures := make([]tessera.IndexFuture, len(entries))
	for i, entry := range entries {
		futures[i] = appender.Add(ctx, tessera.NewEntry(entry))
	}
	for want, future := range futures {
		// One caller's entries are numbered in order.
		if got, err := future(); err != nil || got.Index < uint64(want) {
			t.Fatal(got, err)
		}
	}
	if err := shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}

func entry(i int) []byte {
	hash := sha256.Sum256(fmt.Appendf(nil, "entry %d", i))
	return hash[:]
}

// export is a ledger's directory: its own log, its manifest, and a shard's
// log.
func export(t *testing.T) (dir, key string) {
	t.Helper()
	return exportOf(t, numbered(0, 1500))
}

func exportOf(t *testing.T, entries [][]byte) (dir, key string) {
	t.Helper()
	dir = t.TempDir()
	shard := filepath.Join(dir, shardName)
	writeEntries(t, shard, shardOrigin, entries)
	text := fmt.Sprintf("custody.manifest/v1\nledger %s\nsequence 2\nshard %s 0 %d %s %[4]s %[4]s\n",
		ledgerOrigin[len("custody/"):], shardName, len(entries), rootOf(t, shard))
	writeFile(t, filepath.Join(dir, "manifest"), text)
	leaf := sha256.Sum256([]byte("custody manifest v1" + text))
	writeEntries(t, dir, ledgerOrigin, append(numbered(0, 2), leaf[:]))
	// Tessera signs no more than origin, size and root.
	sign, key := signer(t, ledgerOrigin, seed)
	signCheckpoint(t, dir, sign, fmt.Sprintf("%s\n3\n%s\nmanifest %x\n", ledgerOrigin, rootOf(t, dir), leaf))
	return dir, key
}

// rootOf is the third line of a checkpoint.
func rootOf(t *testing.T, dir string) string {
	t.Helper()
	return strings.Split(readFile(t, filepath.Join(dir, "checkpoint")), "\n")[2]
}

func signCheckpoint(t *testing.T, dir string, sign note.Signer, text string) {
	t.Helper()
	signed, err := note.Sign(&note.Note{Text: text}, sign)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "checkpoint"), string(signed))
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestMain(m *testing.M) {
	quietKlog()
	os.Exit(m.Run())
}

func ask(t *testing.T, want int, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if got := run(args, &out, &errs); got != want {
		t.Fatalf("%q ended with %d, not %d:\n%s%s", args, got, want, &out, &errs)
	}
	return out.String() + errs.String()
}

func contains(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Fatalf("%q is not in:\n%s", part, text)
	}
}

func TestAWholeExportIsInOrder(t *testing.T) {
	dir, key := export(t)
	text := ask(t, 0, "ledger", "-dir", dir, "-key", key)
	contains(t, text, "ok "+ledgerOrigin+" 3 ")
	contains(t, text, "ok "+shardOrigin+" 1500 ")
	contains(t, text, "ok manifest of 1 shards")

	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	contains(t, ask(t, 0, "log", "-url", server.URL+"/"+shardName, "-origin", shardOrigin, "-key", key),
		"ok "+shardOrigin+" 1500 ")
	contains(t, ask(t, 0, "note", "-key", key, filepath.Join(dir, "checkpoint")), "ok "+ledgerOrigin+"+")
	// The ledger's key answers for the shard too.
	contains(t, ask(t, 0, "note", "-key", key, filepath.Join(dir, shardName, "checkpoint")), "ok "+shardOrigin+"+")
}

func TestALogExtendsAnEarlierCheckpoint(t *testing.T) {
	dir := t.TempDir()
	_, key := signer(t, shardOrigin, seed)
	writeLog(t, dir, shardOrigin, 300)
	kept := filepath.Join(t.TempDir(), "kept")
	writeFile(t, kept, readFile(t, filepath.Join(dir, "checkpoint")))
	writeLog(t, dir, shardOrigin, 400)
	ask(t, 0, "log", "-dir", dir, "-key", key, "-since", kept)

	other := t.TempDir()
	writeEntries(t, other, shardOrigin, numbered(1, 310))
	contains(t, ask(t, 1, "log", "-dir", other, "-key", key, "-since", kept), "root")
	shorter := t.TempDir()
	writeLog(t, shorter, shardOrigin, 299)
	contains(t, ask(t, 1, "log", "-dir", shorter, "-key", key, "-since", kept), "it had 300 entries and has 299")
}

func TestEveryFaultIsSeen(t *testing.T) {
	bundle := filepath.Join(shardName, "tile/entries/003")
	partial := filepath.Join(shardName, "tile/entries/005.p/220")
	tile := filepath.Join(shardName, "tile/0/002")
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { b[at] ^= 1; return b }
	}
	whole, key := export(t)
	shorter, _ := exportOf(t, numbered(0, 512))
	older := readFile(t, filepath.Join(shorter, shardName, "checkpoint"))
	for _, c := range []struct {
		name, file string
		change     func([]byte) []byte
		says       string
	}{
		{"an entry", bundle, flip(100), "tile"},
		{"the last entry", partial, flip(220*34 - 1), "tile"},
		{"an entry's length", bundle, flip(1), "AppendBundle"},
		{"a longer entry", partial, func(b []byte) []byte { return append(append([]byte{0, 33, 9}, b[2:34]...), b[34:]...) }, "33 bytes"},
		{"a longer bundle", bundle, func(b []byte) []byte { return append(b, b[:34]...) }, "257 entries"},
		{"a cut bundle", partial, func(b []byte) []byte { return b[:34] }, "lacks entries"},
		{"a tile", tile, flip(40), "tile/0/002"},
		{"a cut tile", tile, func(b []byte) []byte { return b[:32] }, "tile/0/002"},
		{"no tile", tile, nil, "not found"},
		{"no bundle", bundle, nil, "not found"},
		{"the size", filepath.Join(shardName, "checkpoint"), func(b []byte) []byte {
			return bytes.Replace(b, []byte("\n1500\n"), []byte("\n1499\n"), 1)
		}, "signature"},
		{"no shard", shardName, nil, "is missing"},
		{"no manifest", "manifest", nil, "no such file"},
		{"the manifest", "manifest", flip(90), "names another manifest"},
		{"a shard's head of another time", filepath.Join(shardName, "checkpoint"), func([]byte) []byte {
			return []byte(older)
		}, "the manifest names"},
		{"the ledger's root", "checkpoint", flip(len(ledgerOrigin) + 6), "signature"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, c.file)
			if c.change == nil {
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
			} else {
				writeFile(t, path, string(c.change([]byte(readFile(t, path)))))
			}
			contains(t, ask(t, 1, "ledger", "-dir", dir, "-key", key), c.says)
		})
	}
}

// With one worker Tessera's fsck waits for ever; ours still ends.
func TestItEndsThoughFsckHangs(t *testing.T) {
	dir := t.TempDir()
	writeLog(t, dir, shardOrigin, 20_000)
	_, key := signer(t, shardOrigin, seed)
	for _, tile := range []string{"000", "001"} {
		path := filepath.Join(dir, "tile/0", tile)
		writeFile(t, path, string(make([]byte, 256*32)))
	}
	started := time.Now()
	contains(t, ask(t, 1, "log", "-dir", dir, "-key", key, "-workers", "1"), "did not end")
	if took := time.Since(started); took > 20*time.Second {
		t.Fatalf("it took %v", took)
	}
}

func TestOtherKeysAndOriginsAreRefused(t *testing.T) {
	dir, key := export(t)
	_, stranger := signer(t, ledgerOrigin, bytes.Repeat([]byte{8}, 32))
	contains(t, ask(t, 1, "ledger", "-dir", dir, "-key", stranger), "signature")
	contains(t, ask(t, 1, "note", "-key", key, "-key", stranger, filepath.Join(dir, "checkpoint")), "not signed by")
	// The shard's checkpoint in the place of the ledger's.
	contains(t, ask(t, 1, "log", "-dir", filepath.Join(dir, shardName), "-origin", ledgerOrigin, "-key", key), "signature")
	// A name that only begins alike is not below the ledger's.
	_, alike := signer(t, ledgerOrigin[:len(ledgerOrigin)-1], seed)
	contains(t, ask(t, 1, "ledger", "-dir", dir, "-key", alike), "no key for the origin")
	ask(t, 2, "log", "-dir", dir, "-key", key, "-url", "http://127.0.0.1/")
	ask(t, 2, "ledger", "-dir", filepath.Join(dir, "absent"), "-key", key)
	ask(t, 2, "note", "-key", "nonsense", "-")
	ask(t, 2)
}

func TestProofs(t *testing.T) {
	dir, key := export(t)
	shard := filepath.Join(dir, shardName)
	source := client.FileFetcher{Root: shard}
	builder, err := client.NewProofBuilder(t.Context(), 1500, source.ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	path, err := builder.InclusionProof(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := client.GetEntryBundle(t.Context(), source.ReadEntryBundle, 0, 1500)
	if err != nil {
		t.Fatal(err)
	}
	third := fmt.Sprintf("%x", bundle.Entries[2])
	args := func(index, entry string, hashes [][]byte) []string {
		return []string{"inclusion", "-key", key, "-checkpoint", filepath.Join(shard, "checkpoint"),
			"-index", index, "-entry", entry, "-proof", writePath(t, hashes)}
	}
	contains(t, ask(t, 0, args("2", third, path)...), "ok "+shardOrigin+" entry 2 of 1500")
	ask(t, 1, args("3", third, path)...)
	ask(t, 1, args("2", third, path[1:])...)
	ask(t, 1, args("2", fmt.Sprintf("%x", entry(1499)), path)...)
	ask(t, 2, args("2", "xyz", path)...)

	var leaves [][]byte
	for _, entry := range numbered(0, 2) {
		leaves = append(leaves, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	ledger, err := client.GetEntryBundle(t.Context(), client.FileFetcher{Root: dir}.ReadEntryBundle, 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	leaves = append(leaves, rfc6962.DefaultHasher.HashLeaf(ledger.Entries[2]))
	// The ledger's log when it had two leaves.
	root := rfc6962.DefaultHasher.HashChildren(leaves[0], leaves[1])
	sign, _ := signer(t, ledgerOrigin, seed)
	former := t.TempDir()
	signCheckpoint(t, former, sign, fmt.Sprintf("%s\n2\n%s\n", ledgerOrigin, base64.StdEncoding.EncodeToString(root)))
	oldPath := filepath.Join(former, "checkpoint")
	now := filepath.Join(dir, "checkpoint")
	ask(t, 0, "consistency", "-key", key, "-old", oldPath, "-new", now, "-proof", writePath(t, leaves[2:]))
	ask(t, 1, "consistency", "-key", key, "-old", oldPath, "-new", now, "-proof", writePath(t, leaves[1:2]))
}

// A shard that has nothing yet, and one whose checkpoint says more than three
// lines.
func TestEmptyAndExtendedCheckpoints(t *testing.T) {
	dir := t.TempDir()
	sign, key := signer(t, shardOrigin, seed)
	empty := rfc6962.DefaultHasher.EmptyRoot()
	text := fmt.Sprintf("%s\n0\n%s\nshard %s epoch 0\ncounts 0 0 0 0 0 0\n",
		shardOrigin, base64.StdEncoding.EncodeToString(empty), shardName)
	signCheckpoint(t, dir, sign, text)
	contains(t, ask(t, 0, "log", "-dir", dir, "-key", key), "ok "+shardOrigin+" 0 ")
	contains(t, ask(t, 0, "note", "-key", key, filepath.Join(dir, "checkpoint")), "counts 0 0 0 0 0 0")
}

// A witness signs with a timestamp (C2SP cosignature/v1).
func TestWitnesses(t *testing.T) {
	sign, key := signer(t, ledgerOrigin, seed)
	private, _, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{9}, 32)), "witness.example/w1")
	if err != nil {
		t.Fatal(err)
	}
	witness, err := f_note.NewSignerForCosignatureV1(private)
	if err != nil {
		t.Fatal(err)
	}
	witnessKey, err := f_note.VKeyToCosignatureV1(publicOf(t, private))
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%s\n0\n%s\n", ledgerOrigin, base64.StdEncoding.EncodeToString(rfc6962.DefaultHasher.EmptyRoot()))
	for want, signers := range [][]note.Signer{{sign, witness}, {sign}} {
		signed, err := note.Sign(&note.Note{Text: text}, signers...)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "checkpoint")
		writeFile(t, file, string(signed))
		ask(t, want, "note", "-key", key, "-key", witnessKey, file)
	}
}

func publicOf(t *testing.T, private string) string {
	t.Helper()
	_, verifier, err := f_note.NewEd25519SignerVerifier(private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := base64.StdEncoding.DecodeString(private[strings.LastIndex(private, "+")+1:])
	if err != nil {
		t.Fatal(err)
	}
	public, err := note.NewEd25519VerifierKey(verifier.Name(), ed25519.NewKeyFromSeed(key[1:]).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func writePath(t *testing.T, hashes [][]byte) string {
	t.Helper()
	var text strings.Builder
	for _, hash := range hashes {
		fmt.Fprintln(&text, base64.StdEncoding.EncodeToString(hash))
	}
	file := filepath.Join(t.TempDir(), "path")
	writeFile(t, file, text.String())
	return file
}
