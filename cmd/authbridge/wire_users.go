package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"

	"github.com/sirupsen/logrus"

	"authbridge/agent/api"
	"authbridge/agent/contract"
	"authbridge/agent/store"
	"authbridge/platform"
)

// users are the users of this machine as this daemon sees them.
type users struct {
	self      string              // whose daemon it is
	standings *platform.Standings // nil: a user's own daemon
	policy    physicalPolicy
}

// physicalPolicy is to whom the system service lends physical authenticators, of
// the members of its group.
type physicalPolicy bool

const (
	forPresent physicalPolicy = false // while the active local session is theirs
	forGroup   physicalPolicy = true
)

var (
	othersRights  = []contract.Right{contract.RightRead}
	membersRights = []contract.Right{contract.RightRead, contract.RightLease, contract.RightVirtual}
	// hardwareRights are those of members who have the readers and keys, too.
	hardwareRights = []contract.Right{contract.RightRead, contract.RightLease, contract.RightVirtual, contract.RightPhysical}
)

// systemRights are what the system service lets a user do.
func systemRights(s platform.Standing, policy physicalPolicy) []contract.Right {
	switch {
	case s.Admin:
		return contract.Rights
	case s.Member && (s.Present || policy == forGroup):
		return hardwareRights
	case s.Member:
		return membersRights
	}
	return othersRights
}

// knownUsers are those of a daemon. What they are is heard of until forget.
func knownUsers(ctx context.Context, s settings) (known *users, forget func() error, err error) {
	self, err := platform.Self()
	if err != nil {
		return nil, nil, err
	}
	known = &users{self: self.UID, policy: physicalPolicy(s.Physical == "group")}
	if !s.System {
		return known, func() error { return nil }, nil
	}
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	standings, wait := platform.OpenStandings(ctx)
	known.standings = standings
	return known, func() error {
		end()
		wait()
		return nil
	}, nil
}

// Identify says who is at the other end of the socket or pipe.
func (u *users) Identify(conn net.Conn) (api.User, error) {
	peer, err := platform.PeerOf(conn)
	return api.User{ID: peer.UID, Elevated: peer.Elevated}, err
}

// Program names the program at the other end.
func (*users) Program(conn net.Conn) string { return platform.ProgramOf(conn) }

// Rights are those of a user now. A user's own daemon is for that user alone: its
// folder keeps others out, and here they have no right. Its tokens are that
// user's, also those from before it was written down whose they are; the system
// service knows no such ones.
func (u *users) Rights(user api.User) []contract.Right {
	switch {
	case u.standings == nil && (user.ID == u.self || user.ID == ""):
		return contract.Rights
	case u.standings == nil || user.ID == "":
		return nil
	}
	standing := u.standings.Of(user.ID)
	standing.Admin = standing.Admin && user.Elevated
	return systemRights(standing, u.policy)
}

// Allowed are the rights of who has a lease, however its processes run.
func (u *users) Allowed(userID string) []contract.Right {
	return u.Rights(api.User{ID: userID, Elevated: true})
}

// Changed is closed when somebody's rights may be others.
func (u *users) Changed() <-chan struct{} {
	if u.standings == nil {
		return nil
	}
	return u.standings.Changed()
}

// ownTokenName is that of the token in the state folder.
const ownTokenName = "own"

// ownRights are those of the token in the state folder: all but physical,
// which no token has unless it was asked for by name.
var ownRights = []contract.Right{contract.RightRead, contract.RightLease, contract.RightVirtual, contract.RightIdentity, contract.RightAdmin}

// longestToken is above that of a token.
const longestToken = 256

// token keeps a token for this user's own tools in a file of the state folder.
// One that the store does not know, or that others may have read, is kept aside,
// and its successor takes its place. The system service has none: it would be
// everybody's who gets at the file.
func (u *users) token(ctx context.Context, kept *store.Store, file string, log *logrus.Logger) error {
	if u.standings != nil {
		return nil
	}
	secret, err := platform.ReadPrivate(file, longestToken)
	if err == nil {
		if token, known := kept.Token(secret); known && (token.User == "" || token.User == u.self) {
			return nil
		}
		err = errors.New("it is no token of this daemon")
	}
	if !errors.Is(err, fs.ErrNotExist) {
		aside, failed := keepAside(file)
		if failed != nil {
			return failed
		}
		log.WithError(err).WithField("kept", aside).Warn("the file with the token is not as it was written: it is kept aside, and there is a new token")
	}
	_ = kept.RevokeToken(ctx, ownTokenName) // its secret is lost
	token, err := kept.CreateToken(ctx, u.self, ownTokenName, ownRights, 0)
	if err != nil {
		return err
	}
	// Written beside and renamed, so that nobody ever reads half of it.
	part := file + ".new"
	if err := os.WriteFile(part, []byte(token.Secret), 0o600); err != nil {
		return err
	}
	return os.Rename(part, file)
}
