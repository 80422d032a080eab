package platform

import "errors"

// ErrNoDesktop says that there is no desktop session that this could be shown in.
var ErrNoDesktop = errors.New("there is no desktop session here")
