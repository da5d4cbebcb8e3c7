package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

func runInclusion(args []string, out, errs io.Writer) error {
	var (
		flags      = flag.NewFlagSet("inclusion", flag.ContinueOnError)
		keys       keyFlag
		checkpoint = flags.String("checkpoint", "", "file of the checkpoint")
		index      = flags.Uint64("index", 0, "the entry's number, from 0")
		entry      = flags.String("entry", "", "the entry in hexadecimal; of a shard, the 32 bytes of the entry's chain hash")
		path       = flags.String("proof", "", "file of the path, leaf to root, a base64 hash a line")
	)
	flags.Var(&keys, "key", "verifier key or @file; may be repeated")
	if err := parse(flags, args, errs); err != nil {
		return err
	}
	leaf, err := hex.DecodeString(*entry)
	if err != nil || len(leaf) == 0 {
		return unaskable{errors.New("-entry is not hexadecimal")}
	}
	head, err := readCheckpoint(*checkpoint, keys, "")
	if err != nil {
		return err
	}
	hashes, err := readPath(*path)
	if err != nil {
		return err
	}
	err = proof.VerifyInclusion(rfc6962.DefaultHasher, *index, head.Size, rfc6962.DefaultHasher.HashLeaf(leaf), hashes, head.Hash)
	if err != nil {
		return fmt.Errorf("%s: entry %d of %d: %w", head.Origin, *index, head.Size, err)
	}
	fmt.Fprintf(out, "ok %s entry %d of %d\n", head.Origin, *index, head.Size)
	return nil
}

func runConsistency(args []string, out, errs io.Writer) error {
	var (
		flags = flag.NewFlagSet("consistency", flag.ContinueOnError)
		keys  keyFlag
		older = flags.String("old", "", "file of the earlier checkpoint")
		newer = flags.String("new", "", "file of the later one")
		path  = flags.String("proof", "", "file of the proof, a base64 hash a line")
	)
	flags.Var(&keys, "key", "verifier key or @file; may be repeated")
	if err := parse(flags, args, errs); err != nil {
		return err
	}
	from, err := readCheckpoint(*older, keys, "")
	if err != nil {
		return err
	}
	to, err := readCheckpoint(*newer, keys, from.Origin)
	if err != nil {
		return err
	}
	hashes, err := readPath(*path)
	if err != nil {
		return err
	}
	err = proof.VerifyConsistency(rfc6962.DefaultHasher, from.Size, to.Size, hashes, from.Hash, to.Hash)
	if err != nil {
		return fmt.Errorf("%s: %d to %d: %w", to.Origin, from.Size, to.Size, err)
	}
	fmt.Fprintf(out, "ok %s %d to %d\n", to.Origin, from.Size, to.Size)
	return nil
}

// readPath reads hashes, a base64 line each; none is a path too.
func readPath(path string) ([][]byte, error) {
	text, err := read(path)
	if err != nil {
		return nil, err
	}
	var hashes [][]byte
	for _, line := range strings.Fields(string(text)) {
		hash, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}
