package fido

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// shareFor is how long a read waits for another program to let go of a
	// key before it is said that the key is in use.
	shareFor = time.Second
	// readTime bounds a read, whatever the key does.
	readTime = 15 * time.Second
	// readGap is the least time between two reads of a key, so that reads that
	// are asked for all the time leave room for other programs.
	readGap = 250 * time.Millisecond
)

// start begins the reads that are due.
func (w *watcher) start(ctx context.Context) {
	for _, k := range w.keys {
		if k.reading || !k.wanted || time.Now().Before(k.nextAt) || !w.m.begin(k.presence) {
			continue
		}
		k.reading, k.wanted, k.serving = true, false, k.asked
		readCtx, cancel := context.WithCancel(ctx)
		k.cancel = cancel
		node := k.state.Node
		w.work.Go(func() {
			defer cancel()
			r := result{key: k}
			r.hello, r.info, r.retries, r.err = read(readCtx, w.m.bus, node)
			select {
			case w.results <- r:
			case <-readCtx.Done(): // the key went, or we stop: nobody waits for it
			}
		})
	}
}

// done takes the outcome of a read.
func (w *watcher) done(r result) {
	k := r.key
	if !slices.Contains(w.keys, k) {
		return
	}
	w.m.over(k.presence)
	now := time.Now()
	k.reading, k.cancel = false, nil
	k.state.TriedAt = now
	if k.wanted { // it was asked for meanwhile
		k.nextAt = now.Add(readGap)
	}
	if r.err == nil {
		k.failed = 0
		k.state.Hello, k.state.Info, k.state.Retries, k.state.ReadAt = r.hello, r.info, r.retries, now
	} else {
		k.failed++
		if pause, ok := again(r.err, k.failed); ok {
			w.want(k, now.Add(pause))
		}
		if errors.Is(r.err, ErrGone) && k.wanted {
			return // the bus is about to say so; what is left of the key is no news
		}
	}
	k.state.Condition, k.state.Err, k.state.Answered = conditionOf(r.err), r.err, k.serving
	w.event(Read, k)
}

// read opens a key, asks it what it is and how many tries it has left, and
// closes it again.
func read(ctx context.Context, bus Bus, node Node) (Hello, *Info, *Retries, error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	key, err := openShared(ctx, bus, node, shareFor)
	if err != nil {
		return Hello{}, nil, nil, err
	}
	info, err := key.Info(ctx)
	var retries *Retries
	if err == nil {
		retries, err = key.Retries(ctx)
	}
	hello := key.Hello()
	if cerr := key.Close(); err == nil && cerr != nil {
		err = cerr
	}
	return hello, info, retries, err
}

// openShared waits for a while if another program has the key.
func openShared(ctx context.Context, bus Bus, node Node, while time.Duration) (*Key, error) {
	begin := time.Now()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		key, err := OpenKey(ctx, bus, node)
		if !errors.Is(err, ErrInUse) || time.Since(begin) >= while {
			return key, err
		}
		timer := time.NewTimer(jittered(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("%w: %w", err, ctx.Err())
		case <-timer.C:
		}
	}
}
