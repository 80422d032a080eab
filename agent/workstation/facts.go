package workstation

import (
	"authbridge/agent/health"
	"authbridge/platform/nhs"
)

// Facts puts what the collectors have found into the words of health.
func Facts(f nhs.Facts) health.Workstation {
	return health.Workstation{
		At:      f.At,
		Windows: health.Seen[string](f.Windows),
		Service: turn(f.Service, func(s nhs.PortService) health.PortService {
			return health.PortService{
				Port: s.Port, HTTP: s.HTTP, HTTPS: s.HTTPS, Strangers: s.Strangers,
				Manager: health.Manager(s.Manager),
			}
		}),
		Programs: turn(f.Programs, func(all []nhs.Program) []health.Program {
			return each(all, func(p nhs.Program) health.Program {
				return health.Program{Is: health.Product(p.Is), Name: p.Name, Version: p.Version}
			})
		}),
		Gateway:   health.Seen[string](f.Gateway),
		PIVDriver: health.Seen[bool](f.PIVDriver),
		Oberthur:  health.Seen[bool](f.Oberthur),
		Power:     turn(f.Power, func(p nhs.Power) health.Power { return health.Power(p) }),
		Chip:      turn(f.Chip, func(c nhs.Chip) health.Chip { return health.Chip(c) }),
		Policies: turn(f.Policies, func(all []nhs.Policy) []health.Policy {
			return each(all, func(p nhs.Policy) health.Policy {
				return health.Policy{Browser: p.Browser, Name: p.Name, Effect: string(p.Effect)}
			})
		}),
		Port: health.Port{Own: f.Port.Own, NHS: f.Port.NHS, Neighbour: health.Seen[bool](f.Port.Neighbour)},
	}
}

func turn[F, T any](seen nhs.Seen[F], to func(F) T) health.Seen[T] {
	if seen.Unknown != "" {
		return health.Seen[T]{Unknown: seen.Unknown}
	}
	return health.Seen[T]{Is: to(seen.Is)}
}

func each[F, T any](all []F, to func(F) T) []T {
	turned := make([]T, len(all))
	for i, one := range all {
		turned[i] = to(one)
	}
	return turned
}
