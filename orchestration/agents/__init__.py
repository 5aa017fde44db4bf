"""The agents that recommend and act: who is there, what they offer, and the tasks sent to them."""
