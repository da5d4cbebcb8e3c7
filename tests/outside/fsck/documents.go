package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"

	f_log "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"lukechampine.com/blake3"
)

// inclusionDocument is custody.inclusion/v1.
type inclusionDocument struct {
	LedgerCheckpoint string   `json:"ledger_checkpoint"`
	Manifest         string   `json:"manifest"`
	ManifestPath     [][]byte `json:"manifest_path"`
	Checkpoint       string   `json:"checkpoint"`
	Shard            string   `json:"shard"`
	Sequence         uint64   `json:"sequence"`
	Previous         []byte   `json:"previous"`
	Entry            []byte   `json:"entry"`
	Path             [][]byte `json:"path"`
}

// consistencyDocument is custody.consistency/v1.
type consistencyDocument struct {
	From       uint64   `json:"from"`
	To         uint64   `json:"to"`
	Path       [][]byte `json:"path"`
	Checkpoint string   `json:"checkpoint"`
}

func runDocument(args []string, out, errs io.Writer) error {
	var (
		flags = flag.NewFlagSet("document", flag.ContinueOnError)
		keys  keyFlag
		old   = flags.String("old", "", "of a proof of consistency: file of the earlier checkpoint")
	)
	flags.Var(&keys, "key", "the ledger's verifier key or @file; may be repeated")
	if err := parse(flags, args, errs); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return unaskable{errors.New("document: name one file")}
	}
	text, err := read(flags.Arg(0))
	if err != nil {
		return err
	}
	var format struct {
		Format string `json:"format"`
	}
	if err := json.Unmarshal(text, &format); err != nil {
		return err
	}
	switch format.Format {
	case "custody.inclusion/v1":
		var document inclusionDocument
		if err := json.Unmarshal(text, &document); err != nil {
			return err
		}
		return document.verify(keys, out)
	case "custody.consistency/v1":
		var document consistencyDocument
		if err := json.Unmarshal(text, &document); err != nil {
			return err
		}
		return document.verify(keys, *old, out)
	default:
		return fmt.Errorf("cannot check a document of format %q", format.Format)
	}
}

// verify goes from the ledger's signature by the manifest to the shard, and
// from its root to the entry.
func (d *inclusionDocument) verify(keys keyFlag, out io.Writer) error {
	ledger, err := verifyText(d.LedgerCheckpoint, keys)
	if err != nil {
		return fmt.Errorf("ledger's checkpoint: %w", err)
	}
	manifest, err := parseManifest([]byte(d.Manifest))
	if err != nil {
		return err
	}
	if err := manifest.checkLast(ledger); err != nil {
		return err
	}
	hasher := rfc6962.DefaultHasher
	if err := proof.VerifyInclusion(hasher, manifest.sequence, ledger.size, hasher.HashLeaf(manifest.leaf[:]), d.ManifestPath, ledger.root); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	line, err := manifest.shard(d.Shard)
	if err != nil {
		return err
	}
	shard, err := verifyText(d.Checkpoint, keys)
	if err != nil {
		return fmt.Errorf("shard's checkpoint: %w", err)
	}
	if err := line.checkShard(ledger.origin, shard); err != nil {
		return err
	}
	if err := proof.VerifyInclusion(hasher, d.Sequence, shard.size, hasher.HashLeaf(d.link()), d.Path, shard.root); err != nil {
		return fmt.Errorf("entry: %w", err)
	}
	fmt.Fprintf(out, "ok %s entry %d of %d\n", shard.origin, d.Sequence, shard.size)
	return nil
}

// link is the entry's chain hash, which is the entry of the tree.
func (d *inclusionDocument) link() []byte {
	hash := blake3.Sum256(bytes.Join([][]byte{[]byte("custody entry v1"), d.Previous, d.Entry}, nil))
	return hash[:]
}

func (d *consistencyDocument) verify(keys keyFlag, old string, out io.Writer) error {
	to, err := verifyText(d.Checkpoint, keys)
	if err != nil {
		return err
	}
	if old == "" {
		return unaskable{errors.New("give the earlier checkpoint with -old")}
	}
	from, err := readCheckpoint(old, keys, to.origin)
	if err != nil {
		return err
	}
	if from.Size != d.From || to.size != d.To {
		return fmt.Errorf("the proof is of %d to %d, not of %d to %d", d.From, d.To, from.Size, to.size)
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, d.From, d.To, d.Path, from.Hash, to.root); err != nil {
		return fmt.Errorf("%s: %w", to.origin, err)
	}
	fmt.Fprintf(out, "ok %s %d to %d\n", to.origin, d.From, d.To)
	return nil
}

// verifyText verifies a checkpoint of the origin that it names.
func verifyText(text string, keys keyFlag) (head, error) {
	origin := firstLine([]byte(text))
	verifier, err := keys.verifier(origin)
	if err != nil {
		return head{}, err
	}
	checkpoint, rest, _, err := f_log.ParseCheckpoint([]byte(text), origin, verifier)
	if err != nil {
		return head{}, err
	}
	return asHead(checkpoint, rest), nil
}
