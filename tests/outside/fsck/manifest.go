package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	f_log "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
)

// manifest is what a leaf of the ledger's own log stands for: the heads of all
// shards at one moment.
type manifest struct {
	ledger   string
	sequence uint64
	shards   []shardLine
	leaf     [sha256.Size]byte
}

// shardLine says where a shard stood.
type shardLine struct {
	shard string
	epoch uint64
	size  uint64
	root  []byte
}

// parseManifest reads a manifest, of which nothing is believed but by its leaf.
func parseManifest(text []byte) (manifest, error) {
	m := manifest{leaf: sha256.Sum256(append([]byte("custody manifest v1"), text...))}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 4 || lines[0] != "custody.manifest/v1" || lines[len(lines)-1] != "" {
		return m, errors.New("manifest: not one of version 1")
	}
	var err error
	if m.ledger, err = after("ledger ", lines[1]); err != nil {
		return m, err
	}
	sequence, err := after("sequence ", lines[2])
	if err != nil {
		return m, err
	}
	if m.sequence, err = strconv.ParseUint(sequence, 10, 64); err != nil {
		return m, fmt.Errorf("manifest: %w", err)
	}
	for _, line := range lines[3 : len(lines)-1] {
		shard, err := parseShardLine(line)
		if err != nil {
			return m, fmt.Errorf("manifest: %q: %w", line, err)
		}
		if last := len(m.shards) - 1; last >= 0 && m.shards[last].shard >= shard.shard {
			return m, errors.New("manifest: shards are not in order")
		}
		m.shards = append(m.shards, shard)
	}
	return m, nil
}

func after(prefix, line string) (string, error) {
	rest, ok := strings.CutPrefix(line, prefix)
	if !ok {
		return "", fmt.Errorf("manifest: %q is not a %sline", line, prefix)
	}
	return rest, nil
}

// parseShardLine reads "shard ID EPOCH SIZE ROOT BASE RECENT". The two last
// are roots of maps, which nothing here reads.
func parseShardLine(line string) (shardLine, error) {
	fields := strings.Split(line, " ")
	if len(fields) != 7 || fields[0] != "shard" {
		return shardLine{}, errors.New("not a shard line")
	}
	epoch, err1 := strconv.ParseUint(fields[2], 10, 32)
	size, err2 := strconv.ParseUint(fields[3], 10, 64)
	root, err3 := base64.StdEncoding.DecodeString(fields[4])
	return shardLine{fields[1], epoch, size, root}, errors.Join(err1, err2, err3)
}

// shard finds a shard's line.
func (m *manifest) shard(id string) (shardLine, error) {
	for _, line := range m.shards {
		if line.shard == id {
			return line, nil
		}
	}
	return shardLine{}, fmt.Errorf("the manifest has no shard %s", id)
}

// origin of a shard: from epoch 1 on, the epoch is part of it.
func (s shardLine) origin(ledger string) string {
	if s.epoch == 0 {
		return ledger + "/" + s.shard
	}
	return fmt.Sprintf("%s/%s/%d", ledger, s.shard, s.epoch)
}

// checkShard says whether a shard's checkpoint is the one that the manifest
// names.
func (s shardLine) checkShard(ledger string, shard head) error {
	if want := s.origin(ledger); shard.origin != want || shard.size != s.size || !bytes.Equal(shard.root, s.root) {
		return fmt.Errorf("the manifest names %s %d %x", want, s.size, s.root)
	}
	return nil
}

// checkLast says whether this manifest is the last leaf of the ledger's log,
// and the one that its checkpoint names.
func (m *manifest) checkLast(ledger head) error {
	if m.sequence+1 != ledger.size {
		return fmt.Errorf("manifest %d is not the last of %d", m.sequence, ledger.size)
	}
	if want := fmt.Sprintf("manifest %x\n", m.leaf); !strings.HasPrefix(string(ledger.rest), want) {
		return errors.New("the checkpoint names another manifest")
	}
	return nil
}

// checkManifest checks an export's manifest against the heads that were found
// in order, by directory name; the ledger's own is "".
func checkManifest(ctx context.Context, dir string, heads map[string]head) error {
	text, err := os.ReadFile(filepath.Join(dir, "manifest"))
	if err != nil {
		return err
	}
	m, err := parseManifest(text)
	if err != nil {
		return err
	}
	ledger := heads[""]
	if err := m.checkLast(ledger); err != nil {
		return err
	}
	bundle, err := client.GetEntryBundle(ctx, client.FileFetcher{Root: dir}.ReadEntryBundle, m.sequence/layout.EntryBundleWidth, ledger.size)
	if err != nil {
		return err
	}
	if last := bundle.Entries[m.sequence%layout.EntryBundleWidth]; !bytes.Equal(last, m.leaf[:]) {
		return fmt.Errorf("the log's last leaf is %s, the manifest's is %x", hex.EncodeToString(last), m.leaf)
	}
	for _, line := range m.shards {
		shard, ok := heads[line.shard]
		if !ok {
			return fmt.Errorf("shard %s is missing", line.shard)
		}
		if err := line.checkShard(ledger.origin, shard); err != nil {
			return fmt.Errorf("%s: %w", shard.origin, err)
		}
	}
	if extra := len(heads) - 1 - len(m.shards); extra != 0 {
		return fmt.Errorf("%d more shards than the manifest names", extra)
	}
	return nil
}

// asHead is a checkpoint that was verified.
func asHead(checkpoint *f_log.Checkpoint, rest []byte) head {
	return head{checkpoint.Origin, checkpoint.Size, checkpoint.Hash, rest}
}
