package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/transparency-dev/tessera/client"
	"lukechampine.com/blake3"
)

func TestAnEntryIsFollowedToTheLedgersSignature(t *testing.T) {
	// Three entries and the links of their chain.
	var links [][]byte
	previous := [][]byte{make([]byte, 32)}
	for i := range 3 {
		link := blake3.Sum256(fmt.Appendf(append([]byte("custody entry v1"), previous[i]...), "stored %d", i))
		links = append(links, link[:])
		previous = append(previous, link[:])
	}
	dir, key := exportOf(t, links)
	document := map[string]any{
		"format":            "custody.inclusion/v1",
		"ledger_checkpoint": readFile(t, filepath.Join(dir, "checkpoint")),
		"manifest":          readFile(t, filepath.Join(dir, "manifest")),
		"manifest_path":     inclusion(t, dir, 2, 3),
		"checkpoint":        readFile(t, filepath.Join(dir, shardName, "checkpoint")),
		"shard":             shardName,
		"sequence":          1,
		"previous":          previous[1],
		"entry":             []byte("stored 1"),
		"path":              inclusion(t, filepath.Join(dir, shardName), 1, 3),
	}
	contains(t, ask(t, 0, "document", "-key", key, writeJSON(t, document)), "ok "+shardOrigin+" entry 1 of 3")

	for field, other := range map[string]any{
		"format":            "custody.inclusion/v2",
		"ledger_checkpoint": document["checkpoint"],
		"manifest":          strings.Replace(document["manifest"].(string), " 3 ", " 2 ", 1),
		"manifest_path":     inclusion(t, dir, 1, 3),
		"checkpoint":        document["ledger_checkpoint"],
		"shard":             strings.Repeat("0", 32),
		"sequence":          2,
		"previous":          previous[2],
		"entry":             []byte("stored 2"),
		"path":              inclusion(t, filepath.Join(dir, shardName), 2, 3),
	} {
		changed := map[string]any{}
		for name, value := range document {
			changed[name] = value
		}
		changed[field] = other
		t.Run(field, func(t *testing.T) { ask(t, 1, "document", "-key", key, writeJSON(t, changed)) })
	}
}

// What Custody's own tests have frozen, where it is at hand.
func TestFrozenDocuments(t *testing.T) {
	golden := filepath.FromSlash("../../../ledger/proof/tests/golden")
	key := "@" + filepath.Join(golden, "ledger.key")
	if _, err := os.Stat(key[1:]); err != nil {
		t.Skip(err)
	}
	ask(t, 0, "document", "-key", key, filepath.Join(golden, "inclusion.json"))
	former := filepath.Join(golden, "ledger.former.checkpoint")
	consistency := filepath.Join(golden, "consistency.json")
	ask(t, 0, "document", "-key", key, "-old", former, consistency)
	ask(t, 1, "document", "-key", key, "-old", filepath.Join(golden, "ledger.checkpoint"), consistency)
	ask(t, 2, "document", "-key", key, consistency)
	for _, shard := range []string{"house", "shard", "resumed"} {
		ask(t, 0, "note", "-key", key, filepath.Join(golden, shard+".checkpoint"))
	}
	ask(t, 0, "note", "-key", key, "-key", "@"+filepath.Join(golden, "witness.key"), filepath.Join(golden, "ledger.checkpoint"))
}

func inclusion(t *testing.T, dir string, index, size uint64) []string {
	t.Helper()
	builder, err := client.NewProofBuilder(t.Context(), size, client.FileFetcher{Root: dir}.ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	hashes, err := builder.InclusionProof(t.Context(), index)
	if err != nil {
		t.Fatal(err)
	}
	var path []string
	for _, hash := range hashes {
		path = append(path, base64.StdEncoding.EncodeToString(hash))
	}
	return path
}

func writeJSON(t *testing.T, document any) string {
	t.Helper()
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "document")
	writeFile(t, file, string(text))
	return file
}
