# The line that a probe prints, and the order of its calls.
package Report;
use strict;
use warnings;
use JSON::PP ();

use Exporter 'import';
our @EXPORT = qw(calls failed report);
my %line = (error => undef, kind => undef, reach => undef);

# Makes the calls of the scenario. A call that dies is noted.
sub calls {
    my ($call, $note) = @_;
    my $times = grep { $ARGV[0] eq $_ } qw(rotate omitted unavailable);
    for (0 .. $times) {
        sleep 2 if $_;
        eval { $call->(); 1 } or $note->($@);
    }
}

# What the program saw: a kind; the error code, if the library has a member for it; an expression and its value, which
# may be the nested error's name.
sub failed {
    my ($kind, $code, $reach, $name) = @_;
    # Neither an address in memory nor the place in this program is part of what happened.
    $kind =~ s/\(0x[0-9a-f]+\)//; $kind =~ s/ at \S+ line .*//s;
    %line = (error => $code, kind => $kind, reach => ($name // '') eq 'invalid_grant' ? $reach : undef);
}

sub report {
    my ($access_token, $refresh_token) = @_;
    my %tokens = (access_token => $access_token, refresh_token => $refresh_token);
    print JSON::PP->new->canonical->encode({ %line, %tokens }), "\n";
}

1;
