// Command fsck checks what Custody exports with code that Custody did not
// write: signed notes with golang.org/x/mod/sumdb/note, tiled logs with
// Tessera's fsck, proofs with transparency-dev/merkle. It shares no line with
// Custody, so where both agree, the published formats were met.
//
// It ends with 0 if all is well, 1 if something checked is wrong, and 2 if it
// could not be asked (flags, a file that is not there).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/klog/v2"
)

const usage = `usage:
  fsck log         -key KEY [-origin O] (-dir DIR | -url URL) [-since CHECKPOINT]
  fsck ledger      -key KEY -dir DIR
  fsck note        -key KEY [-key KEY …] FILE
  fsck inclusion   -key KEY -checkpoint FILE -index N -entry HEX -proof FILE
  fsck consistency -key KEY -old FILE -new FILE -proof FILE
  fsck document    -key KEY [-old FILE] FILE

KEY is a verifier key, name+hash+base64, or @FILE with one a line.
A FILE of - is the standard input. "fsck COMMAND -h" lists a command's flags.
`

// unaskable is an error of the question, not of what was asked about.
type unaskable struct{ error }

func (u unaskable) Unwrap() error { return u.error }

func main() {
	quietKlog()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// quietKlog keeps Tessera's progress lines from the output and its errors on
// the standard error.
func quietKlog() {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	for name, value := range map[string]string{"logtostderr": "false", "stderrthreshold": "ERROR"} {
		if err := flags.Set(name, value); err != nil {
			panic(err) // klog has had these flags since its first release.
		}
	}
	klog.SetOutput(io.Discard)
}

func run(args []string, out, errs io.Writer) int {
	commands := map[string]func([]string, io.Writer, io.Writer) error{
		"log":         runLog,
		"ledger":      runLedger,
		"note":        runNote,
		"inclusion":   runInclusion,
		"consistency": runConsistency,
		"document":    runDocument,
	}
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprint(errs, usage)
		return 2
	}
	err := commands[args[0]](args[1:], out, errs)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, new(unaskable)):
		fmt.Fprintln(errs, "fsck:", err)
		return 2
	default:
		fmt.Fprintln(errs, "FAILED", err)
		return 1
	}
}

// parse reads a command's flags, whose errors are the asker's. flag prints
// them itself.
func parse(flags *flag.FlagSet, args []string, errs io.Writer) error {
	flags.SetOutput(errs)
	err := flags.Parse(args)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return unaskable{err}
	}
	return err
}

// checkFlags are those of every command that runs Tessera's fsck.
type checkFlags struct {
	workers    uint
	timeout    time.Duration
	entryBytes uint
}

func (c *checkFlags) register(flags *flag.FlagSet, entryBytes uint) {
	flags.UintVar(&c.workers, "workers", 8, "workers of Tessera's fsck; with 1 or 2 it waits for ever at the first fault")
	flags.DurationVar(&c.timeout, "timeout", 5*time.Minute, "for everything together")
	flags.UintVar(&c.entryBytes, "entry-bytes", entryBytes, "what each entry's length must be; 0: any")
}

func runLog(args []string, out, errs io.Writer) error {
	var (
		flags  = flag.NewFlagSet("log", flag.ContinueOnError)
		keys   keyFlag
		check  checkFlags
		dir    = flags.String("dir", "", "directory of the log: checkpoint, tile/…")
		url    = flags.String("url", "", "the same over http or https")
		origin = flags.String("origin", "", "the log's origin (default: the name of the only key)")
		since  = flags.String("since", "", "file of an earlier checkpoint that the log must extend")
	)
	flags.Var(&keys, "key", "verifier key or @file; may be repeated")
	check.register(flags, 0)
	if err := parse(flags, args, errs); err != nil {
		return err
	}
	if *origin == "" && len(keys) == 1 {
		*origin = keys[0].name
	}
	source, err := open(*dir, *url)
	if err != nil {
		return err
	}
	verifier, err := keys.verifier(*origin)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), check.timeout)
	defer cancel()
	head, err := checkLog(ctx, source, *origin, verifier, check)
	if err != nil {
		return fmt.Errorf("%s: %w", *origin, err)
	}
	if *since != "" {
		old, err := readCheckpoint(*since, keys, *origin)
		if err != nil {
			return err
		}
		if err := checkExtends(ctx, source, old, head); err != nil {
			return fmt.Errorf("%s: %w", *origin, err)
		}
	}
	fmt.Fprintln(out, head)
	return nil
}

func runLedger(args []string, out, errs io.Writer) error {
	var (
		flags = flag.NewFlagSet("ledger", flag.ContinueOnError)
		keys  keyFlag
		check checkFlags
		dir   = flags.String("dir", "", "directory of the export: checkpoint, tile/…, and a directory for each shard")
	)
	flags.Var(&keys, "key", "the ledger's verifier key or @file; may be repeated")
	check.register(flags, 32)
	if err := parse(flags, args, errs); err != nil {
		return err
	}
	logs, err := findLogs(*dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), check.timeout)
	defer cancel()
	heads := map[string]head{}
	var failed []string
	for _, name := range logs {
		// A key of the asker's must have signed for this origin too.
		path := filepath.Join(*dir, name)
		origin, err := statedOrigin(path)
		if err == nil {
			heads[name], err = checkStated(ctx, path, origin, keys, check)
		}
		if err != nil {
			failed = append(failed, fmt.Sprintf("%s: %v", path, err))
			continue
		}
		fmt.Fprintln(out, heads[name])
	}
	if failed == nil {
		if err := checkManifest(ctx, *dir, heads); err != nil {
			return fmt.Errorf("%s: %w", *dir, err)
		}
		fmt.Fprintf(out, "ok manifest of %d shards\n", len(heads)-1)
		return nil
	}
	return errors.New(strings.Join(failed, "\nFAILED "))
}

func runNote(args []string, out, errs io.Writer) error {
	var (
		flags = flag.NewFlagSet("note", flag.ContinueOnError)
		keys  keyFlag
	)
	flags.Var(&keys, "key", "verifier key, of a log or a witness, or @file; may be repeated: every one must have signed")
	if err := parse(flags, args, errs); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return unaskable{errors.New("note: name one file")}
	}
	return printNote(out, flags.Arg(0), keys)
}
