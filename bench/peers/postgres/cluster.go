package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"custody.example/bench/peers/internal/figures"
	"github.com/jackc/pgx/v5"
)

// settings of the server beside its defaults.
var settings = []string{"fsync=on", "synchronous_commit=on", "shared_buffers=1GB"}

// cluster is a PostgreSQL server of our own on a temporary directory.
type cluster struct {
	dir    string
	port   int
	server *exec.Cmd
	ended  chan error
	memory *memory
}

// findServer returns the directory of PostgreSQL's programs: the given one,
// else Debian's, version 15 before others, else what is in PATH.
func findServer(bin string) (string, error) {
	if bin != "" {
		return bin, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		slices.SortFunc(found, func(a, b string) int { return release(b) - release(a) })
		if at := slices.IndexFunc(found, func(path string) bool { return release(path) == 15 }); at >= 0 {
			return filepath.Dir(found[at]), nil
		}
		return filepath.Dir(found[0]), nil
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errors.New("no PostgreSQL server: on Debian, apt-get install postgresql-15; or give -bin")
}

// release is the number in Debian's path; 0 if there is none.
func release(path string) int {
	number, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return number
}

// start makes a cluster below dir and starts its server, with settings beside
// those that every server here has. The caller must stay on its thread, for the
// server is told when that thread dies.
func start(ctx context.Context, bin, dir string, more ...string) (*cluster, error) {
	data, err := os.MkdirTemp(dir, "postgresql-")
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: data}
	if err := c.start(ctx, bin, more); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

func (c *cluster) start(ctx context.Context, bin string, more []string) error {
	attributes, err := c.owner()
	if err != nil {
		return err
	}
	data := filepath.Join(c.dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "--pgdata", data,
		"--username", "bench", "--auth", "trust", "--encoding", "UTF8", "--no-locale")
	initdb.SysProcAttr = attributes
	initdb.Dir = c.dir
	if text, err := initdb.CombinedOutput(); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil {
		return fmt.Errorf("initdb: %w\n%s(the directory must be within reach of the user that it is run as)", err, text)
	}
	if c.port, err = freePort(); err != nil {
		return err
	}
	args := []string{"-D", data, "-p", strconv.Itoa(c.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="}
	for _, setting := range slices.Concat(settings, more) {
		args = append(args, "-c", setting)
	}
	log, err := os.Create(filepath.Join(c.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	c.server = exec.Command(filepath.Join(bin, "postgres"), args...)
	c.server.SysProcAttr = attributes
	c.server.Dir = c.dir
	c.server.Stdout, c.server.Stderr = log, log
	if err := c.server.Start(); err != nil {
		return err
	}
	c.ended = make(chan error, 1)
	go func() { c.ended <- c.server.Wait() }()
	c.memory = watch(c.server.Process.Pid)
	return nil
}

// owner is who the server runs as: never root, who may not.
func (c *cluster) owner() (*syscall.SysProcAttr, error) {
	// A fast shutdown should this program be killed.
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT}
	if os.Geteuid() != 0 {
		return attributes, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(found.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(found.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return attributes, os.Chown(c.dir, int(uid), int(gid))
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody")
}

// freePort is one that was free a moment ago.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// address is how to connect, in libpq's words.
func (c *cluster) address() string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=bench dbname=postgres sslmode=disable", c.port)
}

// connect waits until the server takes connections.
func (c *cluster) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, c.address())
		if err == nil {
			return conn, nil
		}
		select {
		case ended := <-c.ended:
			c.ended <- ended
			text, _ := os.ReadFile(filepath.Join(c.dir, "log"))
			return nil, fmt.Errorf("the server ended: %v\n%s", ended, text)
		case <-ctx.Done():
			return nil, err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop ends the server, removes its directory and returns the CPU time that
// the server and its processes used. It may be called again, for nothing.
func (c *cluster) stop() time.Duration {
	var used time.Duration
	if c.server != nil && c.server.Process != nil {
		_ = c.server.Process.Signal(syscall.SIGINT) // A fast shutdown.
		select {
		case <-c.ended:
		case <-time.After(30 * time.Second):
			_ = c.server.Process.Signal(syscall.SIGQUIT) // An immediate one.
			<-c.ended
		}
		c.memory.stop()
		if state := c.server.ProcessState; state != nil {
			used = state.UserTime() + state.SystemTime()
		}
		c.server = nil
	}
	_ = os.RemoveAll(c.dir)
	return used
}

// memory follows what the server's processes take together. Shared pages
// count once: buffers as those of the process that has touched most.
type memory struct {
	done    chan struct{}
	stopped sync.WaitGroup
	peakKiB float64
}

func watch(server int) *memory {
	m := &memory{done: make(chan struct{})}
	m.stopped.Go(func() {
		for {
			m.peakKiB = max(m.peakKiB, resident(server))
			select {
			case <-m.done:
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
	return m
}

// stop ends the watch; the peak may be read afterwards.
func (m *memory) stop() {
	close(m.done)
	m.stopped.Wait()
}

// resident is in KiB.
func resident(server int) float64 {
	var anonymous, shared, mapped float64
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes {
		pid := strings.TrimPrefix(process, "/proc/")
		status, err := figures.Status(pid, "PPid:", "RssAnon:", "RssFile:", "RssShmem:")
		if err != nil || pid != strconv.Itoa(server) && int(status["PPid:"]) != server {
			continue // Also one that has just ended.
		}
		anonymous += status["RssAnon:"]
		shared = max(shared, status["RssShmem:"])
		mapped = max(mapped, status["RssFile:"])
	}
	return anonymous + shared + mapped
}
