package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"authbridge/e2e/pcscd"
)

// Modes in which the program runs itself again, as a process of its own.
const (
	modeBare  = "serve-bare"
	modeProbe = "probe-card"
	modeWatch = "watch-card"
)

func main() {
	if len(os.Args) == 3 {
		switch os.Args[1] {
		case modeBare:
			exit(serveBare(os.Args[2]))
		case modeProbe:
			exit(probeOnce(os.Args[2]))
		case modeWatch:
			exit(watchCard(os.Args[2]))
		}
	}
	pcscd.Enter() // from here on in namespaces of its own
	exit(run())
}

func exit(err error) {
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// bench is one run.
type bench struct {
	ctx        context.Context
	out        io.Writer
	authbridge string // the built program
	tray       string // the built authbridge-tray
	empty      string // the built empty program
	guest      string // what the tests in the guest printed
	scale      int    // percent of the usual number of rounds
	dir        string
	rows       []row
	failed     []string
}

// part is one part of the run; it adds rows.
type part struct {
	name string
	run  func(*bench, *harness)
}

func parts() []part {
	return []part{
		{"events", (*bench).events},
		{"probe", (*bench).probe},
		{"status", (*bench).status},
		{"process", (*bench).process},
		{"start", (*bench).start},
		{"idle", (*bench).idle},
		{"crowd", (*bench).crowd},
		{"leases", (*bench).leases},
		{"ceremonies", (*bench).ceremonies},
		{"logins", (*bench).logins},
		{"shown", (*bench).shown},
		{"guest", (*bench).inGuest},
	}
}

func run() error {
	b := &bench{out: os.Stdout}
	only := flag.String("only", "", "the parts to run, with commas between; empty: all")
	write := flag.String("write", "", "a markdown file whose figures are replaced by those of this run")
	flag.StringVar(&b.authbridge, "authbridge", "", "the built authbridge")
	flag.StringVar(&b.tray, "tray", "", "the built authbridge-tray")
	flag.StringVar(&b.empty, "empty", "", "the built empty program")
	flag.StringVar(&b.guest, "guest", "", "a file with what the tests in the guest printed")
	flag.IntVar(&b.scale, "scale", 100, "percent of the usual number of rounds")
	flag.Parse()
	if b.authbridge == "" || b.tray == "" || b.empty == "" {
		return errors.New("-authbridge, -tray and -empty are needed; make bench gives them")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b.ctx = ctx
	var err error
	if b.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.dir) }()

	began := time.Now()
	m := thisMachine()
	b.say("%s", m)
	for _, p := range parts() {
		if *only == "" || strings.Contains(","+*only+",", ","+p.name+",") {
			b.say("%s ...", p.name)
			if why := inHarness(b.out, func(h *harness) { p.run(b, h) }); why != "" {
				b.failed = append(b.failed, p.name+": "+why)
				b.say("%s: %s", p.name, why)
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	printTable(b.out, b.rows)
	b.say("took %s", time.Since(began).Round(time.Second))
	if *write != "" {
		if err := writeMarkdown(*write, m, b.rows); err != nil {
			return err
		}
	}
	if len(b.failed) > 0 {
		return fmt.Errorf("could not run:\n  %s", strings.Join(b.failed, "\n  "))
	}
	return nil
}

// say prints a line of progress.
func (b *bench) say(format string, args ...any) { _, _ = fmt.Fprintf(b.out, format+"\n", args...) }

func (b *bench) add(r row) {
	b.rows = append(b.rows, r)
	b.say("  %s: %s", r.What, r.Measured)
}

// times is a number of rounds, scaled.
func (b *bench) times(n int) int { return max(n*b.scale/100, 3) }
