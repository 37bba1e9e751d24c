//! Starting and stopping the daemons of a cluster, and its folder.
