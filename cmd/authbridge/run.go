package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"syscall"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"authbridge/agent/client"
	"authbridge/agent/failure"
	"authbridge/platform"
)

func newRun(f *flags) *cobra.Command {
	var o overrides
	var run func(context.Context, daemon) error
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon in the foreground",
		Long: `Run the daemon in the foreground. It prints one line once it listens, and stops
on Ctrl-C or SIGTERM. Without a configuration file it runs on its embedded
default: virtual authenticators, and your own hardware.

On SIGHUP it reads its configuration anew. One that has an error changes
nothing; else the daemon starts over with it, which gives leases back as its end
does. If it cannot, as where a port is taken, it goes on with the one before.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.stateDir = f.stateDir
			return run(c.Context(), func(ctx context.Context, reload <-chan os.Signal) (err error) {
				defer func() {
					if err != nil && ctx.Err() == nil {
						why, _, _ := strings.Cut(err.Error(), "\n")
						platform.Supervisor{}.Failed(why)
					}
				}()
				s, err := settle(o, getenv)
				if err != nil {
					return &exit{exitUsage, err}
				}
				log, err := newLogger(c.ErrOrStderr(), s.LogLevel)
				if err != nil {
					return &exit{exitUsage, err}
				}
				return startError(serveOn(ctx, reload, o, s, log, func(address string) {
					_, _ = fmt.Fprintf(c.OutOrStdout(), "listening on http://%s\n", address)
				}))
			})
		},
	}
	run = supervised(c)
	c.Flags().StringVar(&o.config, "config", "", "configuration file (default: the user's, if there is one)")
	c.Flags().StringVar(&o.listen, "listen", "", "address of the API on loopback; port 0 picks a free one (default "+defaultListen+")")
	c.Flags().StringVar(&o.virtual, "virtual", "", "virtual authenticators: auto, on or off; auto is on where there is no configuration file")
	c.Flags().StringVar(&o.physical, "physical", "", "your own hardware: on or off; with --system also group")
	c.Flags().BoolVar(&o.system, "system", false, "serve all users of this machine, by who they are: the system service runs this")
	c.Flags().StringVar(&o.logLevel, "log-level", "", "error, warn, info or debug")
	return c
}

// daemon runs until ctx ends, and reads its configuration anew when it is told to.
type daemon func(ctx context.Context, reload <-chan os.Signal) error

// windowsService is the flag by which the manager of services of Windows runs a
// daemon.
const windowsService = "windows-service"

// errReload is why the daemon ends to start over.
var errReload = errors.New("the configuration has changed")

// serveOn serves until ctx ends, and starts over each time that a reload, which
// asked tells of, brings other settings. Who supervises it hears of all that.
func serveOn(ctx context.Context, asked <-chan os.Signal, o overrides, s settings, log *logrus.Logger, listening func(address string)) error {
	var supervisor platform.Supervisor
	var before *settings // that were in force, until those after them are; nil: they are
	for {
		serving, end := context.WithCancelCause(ctx)
		next := make(chan settings, 1)
		var beside sync.WaitGroup
		beside.Go(func() {
			for {
				select {
				case <-serving.Done():
					if ctx.Err() != nil { // else it may go on with the settings before
						supervisor.Stopping()
					}
					return
				case <-asked:
				}
				if changed, ok := reload(o, s, log); ok {
					supervisor.Reloading()
					next <- changed
					end(errReload)
					return
				}
			}
		})
		err := serve(serving, s, log, func(address string) {
			before = nil
			listening(address)
			supervisor.Ready()
			beside.Go(func() { supervisor.Watch(serving, (&client.Client{StateDir: s.StateDir}).Alive) })
		})
		again := errors.Is(context.Cause(serving), errReload)
		end(nil)
		beside.Wait()
		switch {
		case err != nil && before != nil && ctx.Err() == nil: // such as a port that is taken
			log.WithError(err).Error("the daemon does not start with the changed configuration: it goes on with the one before")
			s, before = *before, nil
		case err != nil || !again:
			return err
		default:
			was := s
			before, s = &was, <-next
		}
		if level, err := logrus.ParseLevel(s.LogLevel); err == nil { // validated
			log.SetLevel(level)
		}
	}
}

// reload reads the configuration anew; ok is false where it is as before, or has
// an error.
func reload(o overrides, now settings, log *logrus.Logger) (next settings, ok bool) {
	next, err := settle(o, getenv)
	switch {
	case err != nil:
		log.WithError(err).Error("the configuration is not taken: it has an error")
		return now, false
	case reflect.DeepEqual(next, now):
		log.Info("the configuration is as before")
		return now, false
	}
	log.Info("the configuration has changed: starting over with it")
	return next, true
}

// startError gives why the daemon could not start, or not end as it should, a
// code and the registry's remedy. None of it is wrong usage: managers of services
// take that for a reason not to try again.
func startError(err error) error {
	var said *exit
	var stored interface{ Code() failure.Code } // the store's
	var fail *failure.Error
	code := failure.Internal
	switch {
	case err == nil, errors.As(err, &said), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, syscall.ENOSPC):
		code = failure.DiskFull
	case errors.As(err, &stored):
		code = stored.Code()
	case errors.As(err, &fail):
		code = fail.Code
	}
	entry, _ := failure.Lookup(code)
	return &exit{exitRefused, fmt.Errorf("%s: %w\n  → %s", code, err, advice(entry))}
}
