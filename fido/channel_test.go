package fido

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// cborKey answers CTAPHID_INIT as it should, and the rest as the test says.
func cborKey(t *testing.T, rest func(s *script, cid uint32, m message)) *script {
	return newScript(t, func(s *script, cid uint32, m message) {
		if m.cmd == CTAPHID_INIT {
			s.hello(cid, m.data, CAPABILITY_CBOR|CAPABILITY_NMSG|CAPABILITY_WINK)
			return
		}
		rest(s, cid, m)
	})
}

func opened(t *testing.T, s *script) *channel {
	t.Helper()
	c, err := openChannel(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if c.cid != ourCID || c.protocol != 2 || c.version != [3]byte{5, 4, 3} {
		t.Fatalf("%+v", c)
	}
	return c
}

var getInfoRequest = message{CTAPHID_CBOR, []byte{authenticatorGetInfo}}

func TestHostileAnswersEndInAnErrorAndInTime(t *testing.T) {
	t.Parallel()
	ok := []byte{0, 0xa0}
	for _, c := range []struct {
		name string
		say  func(s *script, cid uint32)
		want error
		most time.Duration
	}{
		{"no answer", func(*script, uint32) {}, ErrMute, quick.patience},
		{"an answer of no octets", func(s *script, cid uint32) { s.reply(cid, CTAPHID_CBOR) }, ErrMalformed, 0},
		{"a stray continuation packet", func(s *script, cid uint32) { s.say(frame(cid, 0x00, 1)) }, ErrMalformed, quick.patience},
		{"longer than any message", func(s *script, cid uint32) { s.say(frame(cid, 0x90, 0xff, 0xff)) }, ErrMalformed, 0},
		{"a wrong sequence number", func(s *script, cid uint32) { s.say(frame(cid, 0x90, 0, 99), frame(cid, 5)) }, ErrMalformed, 0},
		{"cut short", func(s *script, cid uint32) { s.say(frame(cid, 0x90, 0, 99)) }, ErrMalformed, quick.patience},
		{"begun twice", func(s *script, cid uint32) { s.say(frame(cid, 0x90, 0, 99), frame(cid, 0x90, 0, 99)) }, ErrMalformed, 0},
		{"another command's answer", func(s *script, cid uint32) { s.reply(cid, CTAPHID_PING, 1) }, ErrMalformed, 0},
		{"an unheard-of command", func(s *script, cid uint32) { s.reply(cid, 0x7f, 1) }, ErrMalformed, 0},
		{"an error without a code", func(s *script, cid uint32) { s.reply(cid, CTAPHID_ERROR) }, ErrMalformed, 0},
		{"a keepalive without a status", func(s *script, cid uint32) { s.reply(cid, CTAPHID_KEEPALIVE) }, ErrMalformed, 0},
		{"an error", func(s *script, cid uint32) { s.reply(cid, CTAPHID_ERROR, ERR_OTHER) }, ErrMalformed, 0},
		{"it knows no CBOR", func(s *script, cid uint32) { s.reply(cid, CTAPHID_ERROR, ERR_INVALID_CMD) }, ErrUnsupported, 0},
		{"answers on another channel", func(s *script, cid uint32) { s.reply(cid+1, CTAPHID_CBOR, ok...) }, ErrMute, 2 * quick.patience},
		{"it is busy for ever", func(s *script, cid uint32) { s.reply(cid, CTAPHID_ERROR, ERR_CHANNEL_BUSY) }, ErrInUse, quick.busy + time.Second},
		{"it is pulled out", func(s *script, _ uint32) { s.pull(ErrGone) }, ErrGone, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broken := true
				s := cborKey(t, func(s *script, cid uint32, m message) {
					switch {
					case m.cmd == CTAPHID_CANCEL:
					case broken:
						c.say(s, cid)
					default:
						s.reply(cid, CTAPHID_CBOR, ok...)
					}
				})
				ch := opened(t, s)
				begin := time.Now()
				data, err := ch.exchange(t.Context(), getInfoRequest, quick, nil)
				if !errors.Is(err, c.want) || data != nil {
					t.Errorf("%x, %v, want %v", data, err, c.want)
				}
				if took := time.Since(begin); took > c.most+slice {
					t.Errorf("it took %v, at most %v were due", took, c.most)
				}
				broken = false
				if errors.Is(err, ErrGone) {
					return
				}
				if data, err := ch.exchange(t.Context(), getInfoRequest, quick, nil); err != nil || !bytes.Equal(data, ok) {
					t.Errorf("the next exchange: %x, %v", data, err)
				}
			})
		})
	}
}

// A key, or who shares it with us, that never stops talking.
func TestChatterDoesNotHoldUs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		frame packet
		every time.Duration
		want  error
		most  time.Duration
	}{
		"other channels":           {frame(ourCID+1, 0x90, 0, 1), time.Millisecond, ErrMute, 2 * quick.patience},
		"stray packets":            {frame(ourCID, 0x07), time.Millisecond, ErrMalformed, quick.patience},
		"keepalive for ever":       {frame(ourCID, 0xbb, 0, 1, 1), 100 * time.Millisecond, ErrMute, quick.limit},
		"the broadcast channel":    {frame(broadcastCID, 0x86, 0, 17), time.Millisecond, ErrMute, 2 * quick.patience},
		"keepalive from elsewhere": {frame(ourCID+1, 0xbb, 0, 1, 1), 100 * time.Millisecond, ErrMute, 2 * quick.patience},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				s := cborKey(t, func(*script, uint32, message) {})
				ch := opened(t, s)
				go func() {
					tick := time.NewTicker(c.every)
					defer tick.Stop()
					for {
						select {
						case <-ctx.Done():
							return
						case <-tick.C:
							s.say(c.frame)
						}
					}
				}()
				begin := time.Now()
				_, err := ch.exchange(ctx, getInfoRequest, quick, nil)
				if !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
				if took := time.Since(begin); took > c.most+2*slice {
					t.Errorf("it took %v", took)
				}
				if got := s.messages(); got[len(got)-1].cmd != CTAPHID_CANCEL {
					t.Error("what was given up was not cancelled")
				}
			})
		})
	}
}

func TestOtherPeoplesPacketsAreDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		long := bytes.Repeat([]byte{7}, 200)
		s := newScript(t, func(s *script, cid uint32, m message) {
			if m.cmd == CTAPHID_INIT {
				s.hello(cid, []byte("another!"), CAPABILITY_CBOR) // another program's, who asks at the same time
				s.reply(cid, CTAPHID_ERROR, ERR_INVALID_LEN)      // a third's
				s.say(frame(77, 0x90, 0, 1))
				s.hello(cid, m.data, CAPABILITY_CBOR)
				return
			}
			ours := packets(cid, message{CTAPHID_PING, m.data})
			theirs := packets(77, message{CTAPHID_CBOR, long})
			for i := range theirs { // interleaved
				s.say(theirs[i], ours[i])
			}
		})
		c := opened(t, s)
		if data, err := c.exchange(t.Context(), message{CTAPHID_PING, long}, quick, nil); err != nil || !bytes.Equal(data, long) {
			t.Errorf("%x, %v", data, err)
		}
	})
}

func TestABusyKeyIsAskedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refuse := 3
		s := newScript(t, func(s *script, cid uint32, m message) {
			switch {
			case refuse > 0:
				refuse--
				s.reply(cid, CTAPHID_ERROR, ERR_CHANNEL_BUSY)
			case m.cmd == CTAPHID_INIT:
				s.hello(cid, m.data, CAPABILITY_CBOR)
			default:
				s.reply(cid, CTAPHID_CBOR, 0)
			}
		})
		c := opened(t, s)
		refuse = 4
		if _, err := c.exchange(t.Context(), getInfoRequest, quick, nil); err != nil {
			t.Error(err)
		}
		if n := len(s.messages()); n != 5 {
			t.Errorf("it was asked %d times, want 5", n)
		}
		refuse = 1000
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.exchange(ctx, getInfoRequest, quick, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a context that ends while the key is busy: %v", err)
		}
	})
}

func TestAKeyThatLostItsChannelsGivesANewOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lost := true
		s := cborKey(t, func(s *script, cid uint32, _ message) {
			if lost {
				lost = false
				s.reply(cid, CTAPHID_ERROR, ERR_INVALID_CHANNEL)
				return
			}
			s.reply(cid, CTAPHID_CBOR, 0)
		})
		c := opened(t, s)
		if _, err := c.exchange(t.Context(), getInfoRequest, quick, nil); err != nil || s.inits != 2 {
			t.Errorf("%v after %d CTAPHID_INIT", err, s.inits)
		}
	})
}

func TestCancelIsSentAndALateSuccessCounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after []byte // what the key answers to CTAPHID_CANCEL
		data  []byte
		want  error
	}{
		"it obeys":                   {[]byte{byte(CTAP2_ERR_KEEPALIVE_CANCEL)}, nil, context.Canceled},
		"the touch was faster":       {[]byte{0, 0xa0}, []byte{0, 0xa0}, nil},
		"it does not hear":           {nil, nil, context.Canceled},
		"it failed at the same time": {[]byte{byte(CTAP2_ERR_USER_ACTION_TIMEOUT)}, nil, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				s := cborKey(t, func(s *script, cid uint32, m message) {
					switch {
					case m.cmd != CTAPHID_CANCEL:
						s.reply(cid, CTAPHID_KEEPALIVE, byte(STATUS_PROCESSING))
						s.reply(cid, CTAPHID_KEEPALIVE, byte(STATUS_UPNEEDED))
					case c.after != nil:
						s.reply(cid, CTAPHID_CBOR, c.after...)
					}
				})
				ch := opened(t, s)
				var said []Keepalive
				data, err := ch.exchange(ctx, getInfoRequest, quick, func(k Keepalive) {
					if said = append(said, k); k == STATUS_UPNEEDED {
						cancel()
					}
				})
				if !errors.Is(err, c.want) || !bytes.Equal(data, c.data) {
					t.Errorf("%x, %v, want %x, %v", data, err, c.data, c.want)
				}
				if !slices.Equal(said, []Keepalive{STATUS_PROCESSING, STATUS_UPNEEDED}) {
					t.Errorf("keepalives %v", said)
				}
				got := s.messages()
				if len(got) != 2 || got[1].cmd != CTAPHID_CANCEL || len(got[1].data) != 0 {
					t.Errorf("sent %v", got)
				}
				if ch.stale != (c.after == nil) {
					t.Errorf("stale: %v", ch.stale)
				}
			})
		})
	}
}

// What a key still had to say to something that was given up must not be taken
// for the answer to the next thing.
func TestALateAnswerIsNotTakenForTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		s := cborKey(t, func(s *script, cid uint32, m message) {
			if m.cmd != CTAPHID_CBOR {
				return
			}
			if asked++; asked == 1 {
				time.AfterFunc(quick.patience+time.Second/2, func() { s.reply(cid, CTAPHID_CBOR, 0, 0xf5) })
				return
			}
			s.reply(cid, CTAPHID_CBOR, 0, 0xf4)
		})
		c := opened(t, s)
		if _, err := c.exchange(t.Context(), getInfoRequest, quick, nil); !errors.Is(err, ErrMute) {
			t.Fatal(err)
		}
		time.Sleep(time.Second) //nolint:forbidigo // the bubble's time
		if data, err := c.exchange(t.Context(), getInfoRequest, quick, nil); err != nil || !bytes.Equal(data, []byte{0, 0xf4}) {
			t.Errorf("%x, %v", data, err)
		}
	})
}

func TestHostileAnswersToInit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		say  func(s *script, cid uint32, nonce []byte)
		want error
	}{
		"nothing":                {func(*script, uint32, []byte) {}, ErrMute},
		"another nonce for ever": {func(s *script, cid uint32, _ []byte) { s.hello(cid, []byte("whatever"), 0) }, ErrMute},
		"the broadcast channel": {func(s *script, cid uint32, n []byte) {
			s.reply(cid, CTAPHID_INIT, append(append([]byte{}, n...), 255, 255, 255, 255, 2, 0, 0, 0, 4)...)
		}, ErrMalformed},
		"channel 0": {func(s *script, cid uint32, n []byte) {
			s.reply(cid, CTAPHID_INIT, append(append([]byte{}, n...), 0, 0, 0, 0, 2, 0, 0, 0, 4)...)
		}, ErrMalformed},
		"too short": {func(s *script, cid uint32, n []byte) { s.reply(cid, CTAPHID_INIT, n...) }, ErrMute},
		"of 200 octets": {func(s *script, cid uint32, n []byte) {
			s.reply(cid, CTAPHID_INIT, append(append([]byte{}, n...), make([]byte, 192)...)...)
		}, ErrMalformed},
		"on the channel to be given": {func(s *script, _ uint32, n []byte) { s.hello(ourCID, n, 4) }, ErrMute},
		"busy for ever":              {func(s *script, cid uint32, _ []byte) { s.reply(cid, CTAPHID_ERROR, ERR_CHANNEL_BUSY) }, ErrInUse},
		"an error":                   {func(s *script, cid uint32, _ []byte) { s.reply(cid, CTAPHID_ERROR, ERR_OTHER) }, ErrMalformed},
		"a stray packet":             {func(s *script, cid uint32, _ []byte) { s.say(frame(cid, 3)) }, ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, func(s *script, cid uint32, m message) { c.say(s, cid, m.data) })
				begin := time.Now()
				if _, err := openChannel(t.Context(), s); !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
				if took := time.Since(begin); took > 2*quick.patience+time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// FuzzExchange lets a key answer with any packets whatever.
func FuzzExchange(f *testing.F) {
	one := func(ps ...packet) (b []byte) {
		for _, p := range ps {
			b = append(b, p[:]...)
		}
		return b
	}
	f.Add(one(packets(ourCID, message{CTAPHID_CBOR, make([]byte, 100)})...), true)
	f.Add(one(packets(ourCID, message{CTAPHID_CBOR, nil})...), true)
	f.Add(one(packets(ourCID, message{CTAPHID_CBOR, []byte{0, 0xa1, 1, 0x81, 0x60}})...), true)
	f.Add(one(frame(ourCID, 0x00)), false)
	f.Add(one(frame(ourCID, 0xbf, 0, 1, 6)), true)
	f.Add(one(frame(broadcastCID, 0x86, 0, 17)), false)
	f.Fuzz(func(t *testing.T, stream []byte, init bool) {
		if len(stream) > 200*ReportSize {
			return
		}
		var answer []packet
		for chunk := range slices.Chunk(stream, ReportSize) {
			var p packet
			copy(p[:], chunk)
			answer = append(answer, p)
		}
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t, func(s *script, cid uint32, m message) {
				if m.cmd == CTAPHID_INIT && init {
					s.hello(cid, m.data, CAPABILITY_CBOR)
					return
				}
				s.say(answer...)
			})
			begin := time.Now()
			c, err := openChannel(t.Context(), s)
			if err == nil {
				data, err := c.getInfo(t.Context())
				if err == nil {
					_, _ = parseInfo(data)
				}
				_, _ = c.getPINRetries(t.Context(), 1)
			}
			if took := time.Since(begin); took > time.Minute {
				t.Errorf("it took %v", took)
			}
		})
	})
}

// A system keeps few reports for who does not read them at once: among those
// to others, ours can get lost.
func TestAnAnswerThatGotLostAmongOthersIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tempo tempo
		asked int
		want  error
	}{
		"what may be repeated": {quick, 2, nil},
		"what may not":         {tempo{patience: quick.patience, limit: quick.limit}, 1, ErrMute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				s := cborKey(t, func(s *script, cid uint32, m message) {
					if m.cmd != CTAPHID_CBOR {
						return
					}
					if asked++; asked == 1 {
						s.reply(cid+1, CTAPHID_CBOR, 0)
						return
					}
					s.reply(cid, CTAPHID_CBOR, 0)
				})
				_, err := opened(t, s).exchange(t.Context(), getInfoRequest, c.tempo, nil)
				if !errors.Is(err, c.want) || asked != c.asked {
					t.Errorf("%v after %d questions, want %v after %d", err, asked, c.want, c.asked)
				}
			})
		})
	}
}
