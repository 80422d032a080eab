package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"authbridge/agent/client"
	"authbridge/agent/contract"
)

func newVirtual(f *flags) *cobra.Command {
	v := &cobra.Command{
		Use:   "virtual",
		Short: "Handle virtual cards and keys",
		Long: `Handle virtual cards and keys. They count for the mock only. Their PIN is 123456
and protects nothing.

Faults are written as name, or name=value: slow=2s, sw=6F00; none ends them all.
For cards: mute, slow, empty, truncated, garbage, sw, no-atr, pin-blocked,
cert-expired, cert-expiring, one-cert, no-cert, live-issuer, retired-atr,
no-logout, pin-kept, pulled. For keys: mute, slow, garbage, foreign-channel,
busy, pin-blocked, u2f-only, no-pin.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := f.client().Virtual(c.Context())
			if err != nil {
				return err
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), all)
			}
			newScreen(c.OutOrStdout()).showDevices(all)
			return nil
		},
	}
	// device is a verb that ends in one device.
	device := func(use, short string, args cobra.PositionalArgs, do func(ctx context.Context, cl *client.Client, args []string) (contract.VirtualDevice, error)) *cobra.Command {
		return &cobra.Command{
			Use: use, Short: short, Args: args,
			RunE: func(c *cobra.Command, args []string) error {
				d, err := do(c.Context(), f.client(), args)
				if err != nil {
					return err
				}
				if f.json {
					return writeJSON(c.OutOrStdout(), d)
				}
				newScreen(c.OutOrStdout()).showDevices([]contract.VirtualDevice{d})
				return nil
			},
		}
	}

	var insert contract.VirtualInsert
	var faults []string
	in := device("insert [READER]", "Put a virtual card into a virtual reader", cobra.MaximumNArgs(1),
		func(ctx context.Context, cl *client.Client, args []string) (_ contract.VirtualDevice, err error) {
			insert.Name = strings.Join(args, "")
			if insert.Faults, err = parseFaults(faults); err != nil {
				return contract.VirtualDevice{}, err
			}
			return cl.InsertCard(ctx, insert)
		})
	in.Flags().StringVar(&insert.User, "user", "", "whose card: 12-digit UUID")
	in.Flags().BoolVar(&insert.PCSCD, "pcscd", false, "put it into the real pcscd, through vpcd")
	in.Flags().StringVar(&insert.VPCD, "vpcd", "", "where vpcd listens (default 127.0.0.1:35963)")
	in.Flags().StringSliceVar(&faults, "fault", nil, "what it shall fail at")

	var swapUser string
	swap := device("swap READER", "Swap the card in a virtual reader for another at once", cobra.ExactArgs(1),
		func(ctx context.Context, cl *client.Client, args []string) (contract.VirtualDevice, error) {
			return cl.SwapCard(ctx, args[0], contract.VirtualInsert{User: swapUser})
		})
	swap.Flags().StringVar(&swapUser, "user", "", "whose card comes in; without it the same card again")

	var plug contract.VirtualPlug
	var keyFaults []string
	pl := device("plug [KEY]", "Plug in a virtual key", cobra.MaximumNArgs(1),
		func(ctx context.Context, cl *client.Client, args []string) (_ contract.VirtualDevice, err error) {
			plug.Name = strings.Join(args, "")
			if plug.Faults, err = parseFaults(keyFaults); err != nil {
				return contract.VirtualDevice{}, err
			}
			return cl.PlugKey(ctx, plug)
		})
	pl.Flags().BoolVar(&plug.UHID, "uhid", false, "plug it into the kernel (Linux; needs /dev/uhid)")
	pl.Flags().StringVar(&plug.Touch, "touch", "", "who touches it: auto, command or never")
	pl.Flags().StringSliceVar(&keyFaults, "fault", nil, "what it shall fail at")

	v.AddCommand(in, swap, pl,
		device("remove READER", "Pull the card out of a virtual reader", cobra.ExactArgs(1),
			func(ctx context.Context, cl *client.Client, args []string) (contract.VirtualDevice, error) {
				return cl.RemoveCard(ctx, args[0])
			}),
		device("unplug KEY", "Unplug a virtual key", cobra.ExactArgs(1),
			func(ctx context.Context, cl *client.Client, args []string) (contract.VirtualDevice, error) {
				return cl.UnplugKey(ctx, args[0])
			}),
		device("fault NAME [FAULT...]", "Script the failures of a device; without a FAULT all end", cobra.MinimumNArgs(1), setFaults),
		&cobra.Command{
			Use: "delete NAME", Short: "Take a virtual reader or key away for good", Args: cobra.ExactArgs(1),
			RunE: func(c *cobra.Command, args []string) error { return f.client().DeleteDevice(c.Context(), args[0]) },
		},
		&cobra.Command{
			Use: "touch KEY", Short: "Touch a virtual key", Args: cobra.ExactArgs(1),
			RunE: func(c *cobra.Command, args []string) error { return f.client().TouchKey(c.Context(), args[0]) },
		})
	return listed(v)
}

// setFaults finds out first whether the name is a reader's or a key's.
func setFaults(ctx context.Context, cl *client.Client, args []string) (contract.VirtualDevice, error) {
	faults, err := parseFaults(args[1:])
	if err != nil {
		return contract.VirtualDevice{}, err
	}
	all, err := cl.Virtual(ctx)
	if err != nil {
		return contract.VirtualDevice{}, err
	}
	for _, d := range all {
		if d.Name == args[0] && d.Kind == contract.SecurityKey {
			return cl.SetKeyFaults(ctx, d.Name, faults...)
		}
	}
	return cl.SetCardFaults(ctx, args[0], faults...)
}

// parseFaults reads name or name=value.
func parseFaults(words []string) ([]contract.Fault, error) {
	faults := make([]contract.Fault, 0, len(words))
	if len(words) == 1 && words[0] == "none" {
		return faults, nil
	}
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		fault := contract.Fault{Name: name}
		switch {
		case name == "slow":
			fault.Delay = value
		case name == "sw":
			fault.SW = value
		case value != "":
			return nil, usage("the fault %s takes no value; only slow=TIME and sw=XXXX do", name)
		}
		faults = append(faults, fault)
	}
	return faults, nil
}

func newToken(f *flags) *cobra.Command {
	t := &cobra.Command{
		Use: "token", Short: "List, create and revoke API tokens", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := f.client().Tokens(c.Context())
			if err != nil {
				return err
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), all)
			}
			newScreen(c.OutOrStdout()).showTokens(all)
			return nil
		},
	}
	var rights []string
	var ttl string
	create := &cobra.Command{
		Use: "create NAME", Short: "Make a token and print its secret, this once", Args: cobra.ExactArgs(1),
		Long: `Make a token and print its secret. It is shown this once and kept nowhere: the
daemon stores its SHA-256 only. Rights are read, lease, virtual, physical,
identity and admin; physical only if you name it. It is yours: of the system
service it never has a right that you have lost.`,
		RunE: func(c *cobra.Command, args []string) error {
			request := contract.TokenRequest{Name: args[0], TTL: ttl}
			for _, r := range rights {
				request.Rights = append(request.Rights, contract.Right(r))
			}
			made, err := f.client().CreateToken(c.Context(), request)
			if err != nil {
				return err
			}
			if f.json {
				return writeJSON(c.OutOrStdout(), made)
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), made.Secret)
			return err
		},
	}
	create.Flags().StringSliceVar(&rights, "rights", []string{"read"}, "what it may do")
	create.Flags().StringVar(&ttl, "ttl", "", "how long it lives, for example 720h (default 2160h)")
	t.AddCommand(create, &cobra.Command{
		Use: "revoke NAME|ID", Short: "End a token at once", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.client().RevokeToken(c.Context(), args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s is revoked\n", args[0])
			return err
		},
	})
	return listed(t)
}
