package mockcis2

import "time"

// shelf keeps a bounded number of things for a limited time. It is no owner of
// anything: who has it guards it.
type shelf[V any] struct {
	most  int
	all   map[string]kept[V]
	swept time.Time
}

type kept[V any] struct {
	value V
	until time.Time
}

func newShelf[V any](most int) shelf[V] {
	return shelf[V]{most: most, all: make(map[string]kept[V])}
}

// sweepEvery bounds how often a shelf that is not full is gone through.
const sweepEvery = time.Minute

// put keeps a value. The one that would go first makes room where the shelf is
// full.
func (s *shelf[V]) put(key string, value V, now, until time.Time) {
	if !s.room(now) {
		oldest := ""
		for k, v := range s.all {
			if oldest == "" || v.until.Before(s.all[oldest].until) {
				oldest = k
			}
		}
		delete(s.all, oldest)
	}
	s.all[key] = kept[V]{value, until}
}

// add keeps a value that is not there yet, if there is room: what must not be
// forgotten is not pushed out.
func (s *shelf[V]) add(key string, value V, now, until time.Time) bool {
	if _, there := s.get(key, now); there || !s.room(now) {
		return false
	}
	s.all[key] = kept[V]{value, until}
	return true
}

func (s *shelf[V]) room(now time.Time) bool {
	if len(s.all) >= s.most || now.Sub(s.swept) >= sweepEvery {
		s.swept = now
		for k, v := range s.all {
			if !now.Before(v.until) {
				delete(s.all, k)
			}
		}
	}
	return len(s.all) < s.most
}

func (s *shelf[V]) get(key string, now time.Time) (value V, ok bool) {
	v, ok := s.all[key]
	if !ok || !now.Before(v.until) {
		return value, false
	}
	return v.value, true
}

// take is get once.
func (s *shelf[V]) take(key string, now time.Time) (value V, ok bool) {
	value, ok = s.get(key, now)
	delete(s.all, key)
	return value, ok
}
